"""The other methods that repaint a picture."""
