"""Two folders -> an endless stream of (content, style) crops for training.

Which files form pair number i, and where they are cropped, is a pure function of the seed and i.
So a run that resumes at step n sees what an uninterrupted run would have seen from step n on, and
no iterator state has to be saved.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adain.errors import ImageError, OptionError
from adain.files import images
from adain.files.bad_files import BadFiles
from adain.training import loader
from adain.training.picture_cache import PictureCache
from adain.training.picture_files import REMOTE_READERS, File, is_remote, list_files
from adain.training.picture_files import place as place_of
from adain.transfer.color import lighten, rotate_hue, tint

LIGHTEST = 0.4  # gamma: a value of 60 becomes one of 143
TINTED_CONTRAST = (0.2, 1.2)


class Place(NamedTuple):
    """Where a crop is cut: which file, and the random numbers that choose the place in it."""

    file: File
    randomness: tuple[int, ...]


class Recoloring(NamedTuple):
    """The shares of a folder's crops whose colours are changed at random."""

    hue_rotation: float = 0.0  # turned by any angle
    lightening: float = 0.0  # by a gamma of LIGHTEST to 1
    tinting: float = 0.0  # to any mean colour, with a contrast of TINTED_CONTRAST


UNCHANGED = Recoloring()


class Pictures:
    """The pictures of one folder, in an endless shuffled order; each epoch uses every file once.

    A file that cannot be read is added to `bad_files` and replaced by the next one.

    Args:
        image_size: shorter side that pictures are resized to, in pixels.
        crop_size: side of the crops, in pixels.
        fixed_crops: number of places in each picture where it is cropped; None: anywhere.
        files: files to use instead of all in the folder.
        recoloring: shares of the crops whose colours are changed.
        cache: reads the pictures.

    Attributes:
        failure: the error that ended the stream, or None; frameworks replace it by other errors.
    """

    def __init__(self, path: str | Path, seed: int, image_size: int, crop_size: int,
                 bad_files: BadFiles | None = None, fixed_crops: int | None = None,
                 files: list[File] | None = None, recoloring: Recoloring = UNCHANGED,
                 cache: PictureCache | None = None) -> None:
        self.files = list_files(path) if files is None else files
        self._path = path
        self.failure: ImageError | None = None
        self._seed, self._image_size, self._crop_size = seed, image_size, crop_size
        self._bad_files, self._fixed_crops = bad_files or BadFiles(), fixed_crops
        self._recoloring, self._cache = recoloring, cache or PictureCache()
        self._bad: set[File] = set()

    @property
    def readers(self) -> int | None:
        """How many crops to read at once; None: as many as there are cores."""
        return REMOTE_READERS if any(map(is_remote, self.files[:1])) else None

    def crop(self, index: int) -> np.ndarray:
        """Return crop number `index` of the stream: uint8 RGB (crop_size, crop_size, 3)."""
        return self.draw(index)[1]

    def draw(self, index: int) -> tuple[Place, np.ndarray]:
        """Return crop number `index` and its place; equal places have equal crops."""
        for attempt in range(len(self.files)):
            place = self.place(index, attempt)
            if place.file in self._bad:
                continue
            try:
                image = self._cache.read(place.file, self._image_size)
            except ImageError as error:
                self._bad.add(place.file)
                self._bad_files.add(place_of(place.file), error)
                continue
            generator = np.random.default_rng(place.randomness)
            crop = random_crop(image, self._crop_size, generator)
            if generator.random() < self._recoloring.hue_rotation:
                crop = rotate_hue(crop, generator.uniform(-np.pi, np.pi))
            if generator.random() < self._recoloring.lightening:
                crop = lighten(crop, generator.uniform(LIGHTEST, 1))
            if generator.random() < self._recoloring.tinting:
                crop = tint(crop, generator.uniform(0, 255, 3), generator.uniform(*TINTED_CONTRAST))
            return place, crop
        self.failure = ImageError(
            f"none of the {len(self.files)} pictures in {self._path} can be read"
            + (f"; {self._bad_files.path} says why." if self._bad_files.path else "."))
        raise self.failure

    def place(self, index: int, attempt: int = 0) -> Place:
        """Return where crop number `index` is cut, if the files of earlier attempts were bad."""
        epoch, turn = divmod(index + attempt, len(self.files))
        number = int(_permutation(len(self.files), self._seed, epoch)[turn])
        if self._fixed_crops is None:
            return Place(self.files[number], (self._seed, index))
        choice = int(np.random.default_rng((self._seed, index)).integers(self._fixed_crops))
        return Place(self.files[number], (self._seed, number, choice))


@lru_cache(maxsize=8)
def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch, count)).permutation(count)


def hold_out(files: list[File], share: float, seed: int) -> tuple[list[File], list[File]]:
    """Return the files to train on and those held out: a share of them, at least one of each."""
    if not share:
        return files, []
    if len(files) < 2:
        raise OptionError(f"`validation_split` needs two pictures or more; there is only "
                          f"{place_of(files[0])}.")
    count = min(max(1, round(share * len(files))), len(files) - 1)
    chosen = set(np.random.default_rng((seed, len(files))).permutation(len(files))[:count].tolist())
    return ([file for number, file in enumerate(files) if number not in chosen],
            [file for number, file in enumerate(files) if number in chosen])


def check_crop(name: str, size: int, image_size: int) -> None:
    """Raise OptionError unless crops of this size can be cut out of pictures of image_size."""
    if size % 8 or size < 16:
        raise OptionError(f"`{name}` must be a multiple of 8, 16 or more; received {size}.")
    if image_size < size:
        raise OptionError(f"`image_size={image_size}` is smaller than `{name}={size}`.")


def random_crop(image: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Return a square crop at a random place; the picture must be at least that large."""
    top, left = (int(generator.integers(side - size + 1)) for side in image.shape[:2])
    return image[top:top + size, left:left + size]


class PairSource:
    """Pairs of a content and a style crop, by number.

    style_crop_size: of the style crops, where it is not crop_size; a pair shows them resized to
    that. held_out: the source of pairs that this one never gives, of `validation_split` of both
    folders, all of crop_size; None where that is 0. recoloring: of the styles.
    cache: reads the pictures. leave_out: files and folders that the training itself writes.
    """

    def __init__(self, content_path: str | Path, style_path: str | Path, seed: int = 0,
                 image_size: int = 512, crop_size: int = 256, bad_files: BadFiles | None = None,
                 fixed_crops: int | None = None, validation_split: float = 0.0,
                 recoloring: Recoloring = UNCHANGED, style_crop_size: int | None = None,
                 cache: PictureCache | None = None,
                 leave_out: Sequence[str | Path] = ()) -> None:
        check_crop("crop_size", crop_size, image_size)
        if style_crop_size is not None:
            check_crop("style_crop_size", style_crop_size, image_size)
        self.crop_size = crop_size
        self._arrived: dict[int, float] = {}
        # Two seeds: otherwise folders of equal length would always meet in the same pairs.
        paths = {2 * seed: content_path, 2 * seed + 1: style_path}
        files = [hold_out(list_files(path, leave_out), validation_split,
                          stream) for stream, path in paths.items()]

        def pictures(part: int, fixed: int | None, styles: Recoloring = UNCHANGED,
                     style_size: int | None = None) -> list[Pictures]:
            return [Pictures(path, stream, image_size, size, bad_files, fixed, split[part], colors,
                             cache)
                    for (stream, path), split, size, colors in zip(
                        paths.items(), files, (crop_size, style_size or crop_size),
                        (UNCHANGED, styles))]

        self.content, self.style = pictures(0, fixed_crops, recoloring, style_crop_size)
        self.held_out: PairSource | None = None
        if validation_split:
            self.held_out = copy.copy(self)
            self.held_out.content, self.held_out.style = pictures(1, 1)

    def validation_pairs(self, batch_size: int, most: int = 64) -> np.ndarray | None:
        """Return held-out pairs, uint8 (n, 2, crop_size, crop_size, 3), always the same.

        As many as the longer of the two held-out lists has, at most `most`, in whole batches.
        """
        if self.held_out is None:
            return None
        held = self.held_out
        count = min(max(len(held.content.files), len(held.style.files)), most)
        count = max(batch_size, count - count % batch_size)
        return np.stack([held.pair(index) for index in range(count)])

    def arrived(self, index: int) -> float | None:
        """Return and forget at what time.monotonic() a pair for dataset() was ready."""
        return self._arrived.pop(index, None)

    def mark_arrival(self, index: int) -> None:
        self._arrived[index] = time.monotonic()

    @property
    def readers(self) -> int | None:
        """How many pairs to read at once; None: as many as there are cores."""
        return self.content.readers or self.style.readers

    @property
    def failure(self) -> ImageError | None:
        """The error that ended the content or the style stream, or None."""
        return self.content.failure or self.style.failure

    def pair(self, index: int) -> np.ndarray:
        """Return pair number `index`: uint8 (2, crop_size, crop_size, 3), content first."""
        return self.stack(self.content.crop(index), self.style.crop(index))

    def stack(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return a pair of its crops."""
        return np.stack([content, images.resize(style, self.crop_size, self.crop_size)])


def dataset(source: PairSource, batch_size: int, start_step: int, stop_step: int,
            context: Any = None) -> Iterable[Any]:
    """Return the batches of steps start_step .. stop_step - 1, see loader.batches.

    Each is uint8 (batch_size, 2, crop_size, crop_size, 3). Pictures are decoded and resized by
    Pillow and OpenCV, both of which release Python's lock while they work.
    """
    def read(index: int) -> np.ndarray:
        pair = source.pair(index)
        source.mark_arrival(index)
        return pair

    return loader.batches(read, batch_size, start_step, stop_step, context, source.readers)
