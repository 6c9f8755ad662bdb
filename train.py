#!/usr/bin/env python3
"""Train a decoder: python train.py --content-path COCO --style-path WIKIART --checkpoint DIR"""

import sys

try:
    from adain.entry_points import train
except KeyboardInterrupt:
    sys.exit(130)

if __name__ == "__main__":
    train()
