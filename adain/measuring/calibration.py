"""Find what numbers go into each convolution of the shipped networks: --precision int8 needs it.

    adain calibrate compact --content-path PHOTOGRAPHS --style-path PAINTINGS

For each of some pairs drawn at random, the lowest and the highest number are noted; what is written
is their median over the pairs. A wider range loses more to its coarser steps than it gains where
numbers are cut off: medians gave results 3 dB nearer to float32 than 90 % quantiles did.
"""

from __future__ import annotations

import numpy as np

from adain import Stylizer
from adain.files import images
from adain.networks.architecture import preset
from adain.networks.openvino import graphs
from adain.networks.openvino.compiled import compile_graph
from adain.networks.weights import load_decoder, load_encoder
from adain.transfer import tiling

CONTENT_SIZE = 320  # pixels on the shorter side
PICTURE = "encoder/conv1_1"  # the layer that pictures go into: their 8 bits are kept exactly


def measure(model: str, pairs) -> dict[str, np.ndarray]:
    """Return the range of each layer's input, the median over (content, style) paths."""
    plan, stylizer = preset(model), Stylizer(model, precision="float32")
    graph, names = graphs.ranges_graph(load_encoder(model), load_decoder(model),
                                       plan.adain_layers, plan.negative_slope)
    network = compile_graph(graph, "float32")
    rows = []
    for content, style in pairs:
        image = images.resize_shorter_side(images.read(content), CONTENT_SIZE)
        stats = stylizer.encode_style(style)
        limits = network(tiling.to_float(tiling.pad(image))[None], *stats, np.float32(1), *stats,
                         np.float32(1))
        rows.append([float(limit) for limit in limits])
    ranges = np.median(rows, axis=0).astype(np.float32).reshape(-1, 2)
    return {PICTURE: np.float32([0, 1]), **dict(zip(names, ranges))}
