"""Fitting networks: settings, data, losses, steps, and what a run records."""
