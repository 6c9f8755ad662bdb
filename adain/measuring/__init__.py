"""Losses, flicker, speed and energy of what the methods make."""
