"""Training pictures of the colorizers: random crops of photographs, as batches of arrays.

Each crop is drawn by its own number: crop 12,345 of a run is the same whatever the number of
workers and whether the run was interrupted before it. Pictures too small for the crop size
(64-pixel collections) come in batches of their own, at their own size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from opsin.color import gray_to_light, rgb_to_lab
from opsin.colorize.bins import BINS, histogram
from opsin.errors import DataError
from opsin.training import augment
from opsin.training.shards import Listing, Picture, read

Float = NDArray[np.float32]
Batch = dict[str, torch.Tensor]


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[data]` table of a colorizer's recipe."""

    size: int = 128
    """Height and width of a crop, a multiple of 32."""
    batch: int = 32
    small_size: int = 64
    """Crop size of pictures whose short side is below `size`."""
    small_batch: int = 128
    small_share: float = 0.2
    """Share of the batches that are of small pictures."""
    least_area: float = 0.2
    """A crop covers at least this share of the picture's largest square."""
    stretch: float = 1.1
    """A crop may be up to this factor wider or higher than it is in the picture."""
    set_exponent: float = 0.6
    """A set of n pictures is drawn in proportion to n to this power: 1 favors the large, 0 none."""
    least_chroma: float = 5.0
    """Pictures with less mean Lab chroma than this are left out."""
    film: float = 0.4
    """Share of crops whose gray is what some film saw, rather than L*."""
    wear: float = 0.3
    """Share of crops worn as old prints are."""
    hinted: float = 0.2
    """Share of crops with color hints, 1 to about 20 points."""
    conditioned: float = 0.15
    """Share of crops with their a*b* histogram as the condition."""


class Crops(IterableDataset[Batch]):
    """Batches from number `first` on; worker w of n makes every n-th of them."""

    def __init__(
        self,
        listing: Listing,
        settings: Data,
        *,
        seed: int,
        first: int,
        last: int,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.listing, self.settings, self.seed = listing, settings, seed
        self.first, self.last, self.rank, self.ranks = first, last, rank, ranks
        large = listing.short_side >= 0.8 * settings.size
        self.pools = [np.flatnonzero(large), np.flatnonzero(~large)]
        if not len(self.pools[0]):
            raise DataError(
                f"no picture has a short side of {round(0.8 * settings.size)} pixels or more. "
                "Lower data.size in the recipe, or give larger pictures."
            )
        self.chances = [_chances(listing.groups[pool], settings) for pool in self.pools]

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        start, step = (worker.id, worker.num_workers) if worker else (0, 1)
        torch.set_num_threads(1)
        for number in range(self.first + start, self.last, step):
            yield self.batch(number)

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        s = self.settings
        rng = np.random.default_rng((self.seed, number))  # the same on every rank: sizes agree
        small = len(self.pools[1]) > 0 and rng.random() < s.small_share
        size, count = (s.small_size, s.small_batch) if small else (s.size, s.batch)
        rng = np.random.default_rng((self.seed, number, self.rank))
        pool, chances = self.pools[small], self.chances[small]
        chosen = rng.choice(pool, count, p=chances)
        crops = [
            make_crop(self.listing.pictures[index], size, s, rng, whole=bool(small))
            for index in chosen
        ]
        return {key: torch.from_numpy(np.stack([crop[key] for crop in crops])) for key in crops[0]}


def loader(crops: Crops, *, workers: int, pin: bool) -> DataLoader[Any]:
    """The batches in order, made by `workers` processes."""
    return DataLoader(
        crops,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=6 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )


def make_crop(
    picture: Picture, size: int, settings: Data, rng: np.random.Generator, *, whole: bool = False
) -> dict[str, Float]:
    """One training example: light (1, S, S), ab (2, S/4, S/4), hints (3, S, S), condition (313)."""
    area = 1.0 if whole else settings.least_area
    rgb = _random_square(picture, size, area, settings.stretch, rng)
    ab = rgb_to_lab(rgb)[..., 1:]
    film = rng.random() < settings.film
    gray = augment.film_gray(rgb, rng) if film else augment.luminance_gray(rgb)
    if rng.random() < settings.wear:
        gray = augment.wear(gray, rng)
    light = gray_to_light(gray)
    hints = np.zeros((3, size, size), np.float32)
    if rng.random() < settings.hinted:
        _draw_hints(hints, ab, rng)
    condition = np.zeros(len(BINS), np.float32)
    if rng.random() < settings.conditioned:
        condition = histogram(ab)
    small = ab.reshape(size // 4, 4, size // 4, 4, 2).mean(axis=(1, 3))
    return {
        "light": light[None].astype(np.float32),
        "ab": np.ascontiguousarray(small.transpose(2, 0, 1), np.float32),
        "hints": hints,
        "condition": condition,
    }


def _random_square(
    picture: Picture, size: int, least_area: float, stretch: float, rng: np.random.Generator
) -> Float:
    """A random square of a picture, (S, S, 3) in [0, 1], mirrored by half a chance."""
    import pyvips

    image = pyvips.Image.new_from_buffer(read(picture), "").colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    image = image.copy_memory() if min(image.width, image.height) <= 4 * size else image
    side = min(image.width, image.height) * np.sqrt(rng.uniform(least_area, 1))
    ratio = np.exp(rng.uniform(-1, 1) * np.log(stretch) / 2)
    width = int(np.clip(round(side * ratio), 1, image.width))
    height = int(np.clip(round(side / ratio), 1, image.height))
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    image = image.crop(left, top, width, height)
    if (width, height) != (size, size):
        kernel = "lanczos2" if rng.random() < 0.5 else "linear"
        image = image.resize(size / width, vscale=size / height, kernel=kernel)
    if rng.random() < 0.5:
        image = image.fliphor()
    pixels: NDArray[np.uint8] = image.cast("uchar").numpy()
    if pixels.shape != (size, size, 3):  # rounding inside the resize
        pixels = np.pad(
            pixels[:size, :size],
            [(0, max(0, size - pixels.shape[0])), (0, max(0, size - pixels.shape[1])), (0, 0)],
            "edge",
        )
    return pixels.astype(np.float32) / np.float32(255)


def _draw_hints(hints: Float, ab: Float, rng: np.random.Generator) -> None:
    """Writes 1 to about 20 small squares of their true mean color into `hints`, in place."""
    size = ab.shape[0]
    for _ in range(min(20, int(rng.geometric(0.2)))):
        patch = int(rng.integers(1, 10))
        y, x = rng.integers(0, size - patch + 1, 2)
        color = ab[y : y + patch, x : x + patch].mean(axis=(0, 1))
        hints[:2, y : y + patch, x : x + patch] = color[:, None, None]
        hints[2, y : y + patch, x : x + patch] = 1


def _chances(groups: NDArray[np.int32], settings: Data) -> NDArray[np.float64]:
    """Each picture's chance to be drawn, so that breadth wins over the size of a set."""
    if not len(groups):
        return np.empty(0)
    counts = np.bincount(groups)
    chances = counts[groups].astype(np.float64) ** (settings.set_exponent - 1)
    return np.asarray(chances / chances.sum())
