#!/usr/bin/env python3
"""Train a decoder: python train.py --content-path COCO --style-path WIKIART --checkpoint DIR"""

from adain.entry_points import train

if __name__ == "__main__":
    train()
