"""The networks and losses in Keras, for training and GPUs."""
