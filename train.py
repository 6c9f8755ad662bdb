#!/usr/bin/env python3
"""Train a decoder: python train.py --content-path COCO --style-path WIKIART --checkpoint DIR"""

from adain.commands.train import entry_point

if __name__ == "__main__":
    entry_point()
