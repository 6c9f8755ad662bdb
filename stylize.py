#!/usr/bin/env python3
"""Stylise pictures: python stylize.py --content-path PHOTOS --style-path PAINTINGS"""

from adain.commands.stylize import entry_point

if __name__ == "__main__":
    entry_point()
