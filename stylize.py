#!/usr/bin/env python3
"""Stylise pictures: python stylize.py --content-path PHOTOS --style-path PAINTINGS"""

import sys

try:
    from adain.entry_points import stylize
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    stylize()
