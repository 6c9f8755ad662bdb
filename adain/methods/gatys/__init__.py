"""The iterative method of Gatys et al. 2016: optimise the pixels."""
