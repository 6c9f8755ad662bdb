"""Stylize videos and camera pictures frame by frame."""
