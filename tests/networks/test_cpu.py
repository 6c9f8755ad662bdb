"""Which CPUs compute with bfloat16."""

import pytest

from adain.networks.openvino import cpu

CPUINFO = "processor\t: 0\nvendor_id\t: {}\nmodel name\t: x\nflags\t\t: fpu sse2 {}\nbugs\t: none\n"


@pytest.mark.parametrize("vendor, flags, expected", [
    ("GenuineIntel", "avx512_bf16 amx_bf16 amx_tile", cpu.FAST),
    ("GenuineIntel", "avx512f avx512_bf16", cpu.SLOW),
    ("AuthenticAMD", "avx512f avx512_bf16", cpu.FAST),
    ("GenuineIntel", "avx2 avx512f", cpu.ABSENT)])
def test_bfloat16_is_as_fast_as_the_instructions(vendor, flags, expected):
    assert cpu.bfloat16_of(CPUINFO.format(vendor, flags)) == expected


@pytest.mark.parametrize("flags, lacking", [("avx2 fma", True), ("avx2 avx_vnni", False),
                                            ("avx512f avx512_vnni", False)])
def test_int8_needs_vnni(flags, lacking):
    assert cpu.lacks_int8_of(CPUINFO.format("GenuineIntel", flags)) is lacking
    assert not cpu.lacks_int8_of("processor\t: 0\nFeatures\t: asimddp i8mm\n")  # not known


def test_other_processors_are_unknown():
    assert cpu.bfloat16_of("processor\t: 0\nFeatures\t: fp asimd bf16\n") == cpu.UNKNOWN
    assert cpu.bfloat16() in cpu.BFLOAT16


@pytest.mark.parametrize("bfloat16, expected", [(cpu.SLOW, "f32"), (cpu.FAST, None)])
def test_auto_precision_leaves_slow_bfloat16_alone(monkeypatch, bfloat16, expected):
    from adain.networks.openvino import compiled

    monkeypatch.setattr(cpu, "bfloat16", lambda: bfloat16)
    assert compiled.compile_options("auto").get("INFERENCE_PRECISION_HINT") == expected
    assert compiled.compile_options("bfloat16")["INFERENCE_PRECISION_HINT"] == "bf16"
