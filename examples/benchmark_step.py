"""A training step of this package against a plain PyTorch step of the same network, on the CPU.

Both do what the paper's step does: VGG19 features of content and style, AdaIN, decoder, features
of the result, content and style loss, gradient, Adam. They take turns in one process, so that what
else the machine does meets both; the medians are compared. "share of the limit" sets the
arithmetic of the convolutions against a large matrix product of the same precision.

Needs torch (pip install torch --index-url https://download.pytorch.org/whl/cpu). Run from a
checkout: python examples/benchmark_step.py --steps 5
"""

import argparse
import functools
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np
import torch
import torch.nn.functional as F

from adain.files import images
from adain.networks.architecture import (
    DECODER_OUTPUT,
    PRESETS,
    STYLE_LAYERS,
    decoder_plan,
    encoder_plan,
    relu,
)
from adain.networks.keras.devices import describe_device
from adain.networks.stats import EPSILON
from adain.networks.weights import load_decoder, load_encoder
from adain.training import any_style
from adain.training.config import TrainConfig
from adain.training.recorder import scalars

ROOT = Path(__file__).parent.parent
PRECISIONS = {"float32": torch.float32, "mixed_bfloat16": torch.bfloat16}


class TorchStep:
    """The step as one writes it in PyTorch: autocast, channels last, torch's own convolutions."""

    def __init__(self, precision: str) -> None:
        self.vgg = self.parameters(load_encoder("vgg19"), trained=False)
        self.decoder = self.parameters(load_decoder("vgg19"), trained=True)
        self.depths, self.dtype = PRESETS["vgg19"].depths, PRECISIONS[precision]
        trained = [array for pair in self.decoder.values() for array in pair]
        self.adam = torch.optim.Adam(trained, lr=1e-4)
        self.flops = 0

    @staticmethod
    def parameters(weights, trained):
        return {layer: tuple(torch.nn.Parameter(torch.from_numpy(array.copy()).to(
                    memory_format=torch.channels_last) if array.ndim == 4
                    else torch.from_numpy(array.copy()), requires_grad=trained)
                    for array in (kernel.transpose(3, 2, 0, 1), bias))
                for layer, (kernel, bias) in weights.items()}

    def conv(self, x, parameters, layer):
        kernel, bias = parameters[layer]
        # Backward costs as much again for each of input and kernel that has a gradient.
        passes = 1 + kernel.requires_grad + x.requires_grad
        self.flops += 2 * passes * x.shape[0] * x.shape[2] * x.shape[3] * kernel.numel()
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, bias)

    def encode(self, x):
        found = []
        for step in encoder_plan(self.depths):
            x = F.max_pool2d(x, 2) if step == "pool" else F.relu(self.conv(x, self.vgg, step))
            if relu(step) in STYLE_LAYERS:
                found.append(x)
        return found

    def decode(self, x):
        for step in decoder_plan(self.depths):
            if step == "upsample":
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            else:
                x = self.conv(x, self.decoder, step)
                x = x if step == DECODER_OUTPUT else F.relu(x)
        return x

    @staticmethod
    def stats(x):
        variance, mean = torch.var_mean(x.float(), dim=(2, 3), keepdim=True, unbiased=False)
        return mean, (variance + EPSILON).sqrt()

    def __call__(self, pairs):
        self.flops = 0
        pictures = torch.from_numpy(pairs).permute(1, 0, 4, 2, 3).float() / 255
        content, style = (each.contiguous(memory_format=torch.channels_last) for each in pictures)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            with torch.no_grad():
                features, styles = self.encode(content)[-1], self.encode(style)
                (mean, std), targets = self.stats(features), [self.stats(x) for x in styles]
                target = (features.float() - mean) / std * targets[-1][1] + targets[-1][0]
            stylized = self.encode(self.decode(target))
        loss = F.mse_loss(stylized[-1].float(), target)
        for layer, (mean, std) in zip(stylized, targets):
            ours = self.stats(layer)
            size = len(pairs)
            loss = loss + 1e-2 * (((ours[0] - mean) ** 2).sum() + ((ours[1] - std) ** 2).sum()
                                  ) / size
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss.item()


def keras_step(precision, batch_size, jit):
    """Return this package's step, with the shipped decoder, as a function of uint8 pairs."""
    model = any_style.build(TrainConfig(precision=precision, batch_size=batch_size, jit=jit))
    any_style.set_weights(model.transfer.decoder, load_decoder("vgg19"))

    def step(pairs):
        model.reset_metrics()
        return scalars(model.train_on_batch(pairs, return_dict=True))["loss"]
    return step


def matrix_speed(dtype, size=2048):
    """Return the operations a second of a large matrix product, the best of five."""
    left, right = torch.ones(size, size, dtype=dtype), torch.ones(size, size, dtype=dtype)
    left @ right
    return 2 * size ** 3 / min(timed(lambda: left @ right)[0] for _ in range(5))


def timed(function):
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--crop-size", type=int, default=128)
    parser.add_argument("--jit", action="store_true", help="compile the Keras step with XLA")
    options = parser.parse_args()
    size = options.crop_size
    contents, styles = (
        [images.resize(images.read(path), size, size) for path in sorted(folder.glob("*.jpg"))]
        for folder in (ROOT / "inputs", ROOT / "styles"))
    pairs = np.stack([[contents[index % len(contents)], styles[index % len(styles)]]
                      for index in range(options.batch_size)])
    print(f"{describe_device()}, {torch.get_num_threads()} torch threads, batch "
          f"{options.batch_size} at {size} px, torch {torch.__version__}")
    if os.getloadavg()[0] > 0.5 * torch.get_num_threads():
        print(f"NOTE: other programs run here (load {os.getloadavg()[0]:.1f}). The ratio below is "
              "no measurement: OpenMP's threads, which torch uses, wait for each other and suffer "
              "far more from that than TensorFlow's.")
    plain = None  # torch's seconds in float32
    for precision, dtype in PRECISIONS.items():
        steps = {"torch": TorchStep(precision),
                 "keras": keras_step(precision, options.batch_size, "on" if options.jit else "off")}
        first = {name: step(pairs) for name, step in steps.items()}  # compiles, too
        if abs(first["keras"] - first["torch"]) > 0.05 * first["torch"]:
            raise SystemExit(f"the two steps do not compute the same loss: {first}")
        times = {name: [] for name in steps}
        for _ in range(options.steps):
            for name, step in steps.items():
                times[name].append(timed(functools.partial(step, pairs))[0])
        seconds = {name: float(np.median(each)) for name, each in times.items()}
        limit = steps["torch"].flops / matrix_speed(dtype)
        plain = plain or seconds["torch"]
        print(f"{precision}: keras {seconds['keras']:.2f} s, torch {seconds['torch']:.2f} s a step "
              f"-> keras is {seconds['torch'] / seconds['keras']:.2f} x as fast "
              f"({plain / seconds['keras']:.2f} x torch in float32); "
              f"{limit / seconds['keras']:.0%} of the arithmetic limit", flush=True)


if __name__ == "__main__":
    main()
