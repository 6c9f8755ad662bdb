"""The iterative method of Gatys et al. 2016, which optimizes the pixels of a picture."""
