"""Stylize one picture: encode, AdaIN and decode in tiles; colours; styles as files; refinement."""
