"""Networks for one style (Johnson et al. 2016)."""
