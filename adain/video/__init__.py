"""Clips and cameras: read, stylized frame by frame, written."""
