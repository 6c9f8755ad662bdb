"""A page on this machine that repaints photographs, and the API behind it."""
