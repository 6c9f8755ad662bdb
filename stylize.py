#!/usr/bin/env python3
"""Stylise pictures: python stylize.py --content-path PHOTOS --style-path PAINTINGS"""

from adain.entry_points import stylize

if __name__ == "__main__":
    stylize()
