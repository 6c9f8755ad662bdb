"""The networks and losses in Keras, for training and GPUs."""

# Here, not in devices: adain stylize --help lists them, and starts sooner without that module.
TRAIN_PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
