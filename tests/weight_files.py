"""Weights files as others publish them, written for tests."""

import h5py
import numpy as np
import torch7

from adain.networks import weights
from adain.networks.architecture import PRESETS, VGG19_LAYERS

VGG19 = PRESETS["vgg19"].widths
# The Keras notop file goes on to block 5; ours stops at conv4_1.
KERAS_LAYERS = [f"block{block}_conv{index}" for block, count in ((1, 2), (2, 2), (3, 4), (4, 4),
                                                                (5, 4)) for index in
                range(1, count + 1)]


def write_keras_h5(path, network):
    """A file in the layout of vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"input_1", *(name.encode() for name in KERAS_LAYERS)]
        file.create_group("input_1").attrs["weight_names"] = np.zeros(0, "S1")
        for name in KERAS_LAYERS:
            kernel, bias = network.get(f"conv{name[5]}_{name[-1]}",
                                       (np.zeros((3, 3, 1, 1), "f"), np.zeros(1, "f")))
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group[f"{name}_W_1:0"], group[f"{name}_b_1:0"] = kernel, bias


def write_vgg_t7(path, network, **options):
    """A file in the layout of vgg_normalised.t7."""
    first = np.zeros((1, 1, 3, 3), np.float32)
    first[0, 0, [2, 1, 0], [0, 1, 2]] = 255  # to BGR, 0..255
    modules = [torch7.convolution(first, -np.array(weights.CAFFE_MEAN_BGR, np.float32), **options)]
    for layer in VGG19_LAYERS:
        modules += [torch7.padding(), torch7.convolution(*network[layer], **options),
                    torch7.Module("nn.ReLU", inplace=False)]
        if layer in ("conv1_2", "conv2_2", "conv3_4"):
            modules.append(torch7.Module("nn.SpatialMaxPooling", kH=2, kW=2, dH=2, dW=2,
                                         ceil_mode=True))
    torch7.save(path, torch7.sequential(*modules))


def write_decoder_t7(path, network):
    modules = []
    for layer in VGG19_LAYERS[::-1]:
        modules += [torch7.padding(), torch7.convolution(*network[layer]),
                    torch7.Module("nn.ReLU", inplace=False)]
        if layer in ("conv4_1", "conv3_1", "conv2_1"):
            modules.append(torch7.Module("nn.SpatialUpSamplingNearest", scale_factor=2))
    torch7.save(path, torch7.sequential(*modules[:-1]))
