"""What is computed: statistics, architecture, weights, checkpoints, and engines that run it."""
