import pytest

pytest.importorskip("keras")
from adain.errors import OptionError  # noqa: E402
from adain.networks.keras import devices  # noqa: E402


@pytest.fixture
def machine(monkeypatch):
    """Pretend: which system this is, which GPUs the framework sees, and whether one is there."""
    def pretend(system="Linux", gpus=(), expected=False):
        monkeypatch.setattr(devices.platform, "system", lambda: system)
        monkeypatch.setattr(devices, "gpus", lambda: list(gpus))
        monkeypatch.setattr(devices, "gpu_expected", lambda: expected)
    return pretend


def test_a_cpu_machine_without_a_gpu_is_no_reason_to_warn(machine):
    machine()
    assert devices.warning("auto") is None


def test_an_unused_gpu_is_warned_of(machine):
    machine(expected=True)
    assert "seems to have an NVIDIA GPU" in devices.warning("auto")
    assert devices.warning("cpu") is None


def test_native_windows_is_told_of_wsl2(machine):
    machine(system="Windows")
    assert "WSL2" in devices.warning("auto")


def test_a_demanded_gpu_that_is_missing_is_an_error(machine):
    machine()
    with pytest.raises(OptionError, match="`device=gpu`: no GPU was found"):
        devices.warning("gpu")


def test_a_gpu_in_use_is_named(machine):
    machine(gpus=["NVIDIA L4"], expected=True)
    assert devices.warning("gpu") is None and devices.describe_device() == "GPU NVIDIA L4"


def test_hidden_gpus_are_not_expected(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not devices.gpu_expected()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert devices.gpu_expected()


def test_mixed_float16_needs_a_gpu(machine):  # a CPU's first step would take for ever
    machine(gpus=["NVIDIA L4"], expected=True)
    assert devices.choose_precision("mixed_float16") == "mixed_float16"
    machine(gpus=[], expected=False)
    with pytest.raises(OptionError, match="needs a GPU"):
        devices.choose_precision("mixed_float16")


def test_unknown_precision_lists_the_choices():
    with pytest.raises(OptionError, match="auto, float32, mixed_bfloat16, mixed_float16"):
        devices.choose_precision("half")
