"""How fast training pictures are read on one core: raw, and after `adain prepare`.

Collections are imitated from the pictures in inputs/: COCO's 640 x 480, and paintings of
3000 x 2400 as WikiArt has them. Run from a checkout: python examples/benchmark_data.py
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from adain.files import images
from adain.training import data, prepare

SOURCES = sorted((Path(__file__).parent.parent / "inputs").glob("*.jpg"))
SIZES = {"COCO, 640 x 480": (480, 640), "painting, 3000 x 2400": (2400, 3000)}
COUNT, REPEATS = 8, 3


def pictures_per_second(folder: Path) -> float:
    """Return how many crops a second one thread makes of a folder, as training does."""
    stream = data.Pictures(folder, seed=0, image_size=512, crop_size=256)
    stream.crop(0)
    rounds = []
    for number in range(REPEATS):
        started = time.thread_time()  # of this core alone, whatever else the machine does
        for index in range(COUNT):
            stream.crop(number * COUNT + index)
        rounds.append(COUNT / (time.thread_time() - started))
    return float(np.median(rounds))


def main() -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, size) in enumerate(SIZES.items()):
            raw, small = Path(folder) / f"raw{number}", Path(folder) / f"small{number}"
            raw.mkdir()
            for index in range(COUNT):
                picture = images.resize(images.read(SOURCES[index % len(SOURCES)]), *size)
                Image.fromarray(picture).save(raw / f"{index}.jpg", quality=90)
            list(prepare.prepare(raw, small, workers=1))
            print(f"{name}: {pictures_per_second(raw):.0f} pictures a second on a core raw, "
                  f"{pictures_per_second(small):.0f} prepared")


if __name__ == "__main__":
    main()
