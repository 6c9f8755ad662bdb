"""Stylize one picture: Stylizer, tiles, colours, style files and refinement."""
