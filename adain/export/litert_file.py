"""LiteRT (TFLite): one file, for Android, iOS and small computers, converted by TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from adain.export.plan import Plan
from adain.export.tensorflow_file import function
from adain.networks.keras.devices import hidden_native_stderr

METADATA = "adain"  # name of the entry in the file's metadata


def write(plan: Plan, path: Path) -> None:
    """Write a plan as a LiteRT file of built-in operations."""
    import tensorflow as tf

    module, concrete = function(plan)
    with hidden_native_stderr():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
        if plan.precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if plan.precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        converted = converter.convert()
    path.write_bytes(_with_metadata(converted, plan))


def _with_metadata(converted: bytes, plan: Plan) -> bytes:
    """Return a model with the metadata of the plan added as JSON, under the name METADATA."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(converted, 0))
    model.description = f"adain: {plan.part.name} of {plan.name}".encode()
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(plan.metadata).encode(), np.uint8)
    entry.name, entry.buffer = METADATA.encode(), len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(len(converted) + len(buffer.data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def run(path: Path, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute a file's outputs with LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    with hidden_native_stderr():
        runner = Interpreter(str(path)).get_signature_runner()  # resizes its inputs as needed
        return {name: np.array(output) for name, output in runner(**inputs).items()}
