"""Training pictures: random crops of photographs, as batches of arrays.

Each crop is drawn by its own number: crop 12,345 of a run is the same whatever the number of
workers and whether the run was interrupted before it. Pictures too small for the crop size
(64-pixel collections) come in batches of their own, at their own size. What is made of a crop is
the task's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from opsin.errors import DataError, RecipeError
from opsin.formats import small
from opsin.formats.vips import vips
from opsin.interrupt import leave_to_parent
from opsin.sets.listing import Listing
from opsin.sets.sources import Picture, read
from opsin.training.loop import LONGEST_WAIT, Batch
from opsin.training.recipe import Batch as BatchSize
from opsin.training.recipe import PartialShare, Pixels, Share

Float = NDArray[np.float32]
Example = dict[str, NDArray[Any]]
"""One training example: arrays by name, which are stacked to a batch."""


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[data]` table that all tasks share."""

    enlarged: ClassVar[bool] = False
    """Whether pictures that are smaller than a crop are enlarged to it."""

    size: Pixels = 128
    """Height and width of a crop."""
    batch: BatchSize = 32
    small_size: Pixels = 64
    """Crop size of pictures whose short side is below 0.8 `size`."""
    small_batch: BatchSize = 128
    small_share: Share = 0.2
    """Share of the batches that are of small pictures."""
    least_area: PartialShare = 0.2
    """A crop covers at least this share of the picture's largest square."""
    stretch: Annotated[float, Meta(ge=1, le=4)] = 1.1
    """A crop may be up to this factor wider or higher than it is in the picture."""
    order: Literal["drawn", "epochs"] = "drawn"
    """`drawn`: each batch anew, breadth before size; `epochs`: each picture once, then again."""
    variants: Annotated[int, Meta(ge=0, le=1000)] = 0
    """How many fixed crops a picture has, so that what a frozen network says of them can be kept;
    0: each crop is new."""
    set_exponent: Annotated[float, Meta(ge=0, le=2)] = 0.6
    """A set of n pictures is drawn in proportion to n to this power: 1 favors the large, 0 none."""
    least_chroma: Annotated[float, Meta(ge=0, le=100)] = 0.0
    """Pictures with less mean Lab chroma than this are left out."""
    rotate: Annotated[float, Meta(ge=0, le=180)] = 0.0
    """Crops are turned by up to so many degrees."""
    shear: Annotated[float, Meta(ge=0, le=85)] = 0.0
    """Crops are sheared by up to so many degrees."""
    zoom: Annotated[float, Meta(ge=0, le=0.9)] = 0.0
    """Crops are enlarged or made smaller by up to this share."""
    validation_size: Pixels = 192
    """Height and width of the validation pictures."""


class Cropper(Protocol):
    """Makes a training example of a picture; pickled for the processes that make batches."""

    def __call__(
        self, picture: Picture, size: int, rng: np.random.Generator, *, whole: bool
    ) -> Example:
        """Of size x size pixels; of a `whole` picture, which is hardly larger, if that is told."""
        ...


class Crops(IterableDataset[Batch]):
    """Batches from number `first` on; worker w of n makes every n-th of them.

    `crop` makes their examples. With `classes` they hold each picture's label among them too.
    """

    def __init__(
        self,
        listing: Listing,
        settings: Data,
        crop: Cropper,
        *,
        seed: int,
        first: int,
        last: int,
        classes: Sequence[str] = (),
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.listing, self.settings, self.crop, self.seed = listing, settings, crop, seed
        self.first, self.last, self.rank, self.ranks = first, last, rank, ranks
        large = settings.enlarged | (listing.short_side >= 0.8 * settings.size)
        self.pools = [np.flatnonzero(large), np.flatnonzero(~large)]
        if not len(self.pools[0]):
            raise DataError(
                f"no picture has a short side of {round(0.8 * settings.size)} pixels or more. "
                "Lower data.size in the recipe, or give larger pictures."
            )
        self.chances = [_chances(listing.groups[pool], settings) for pool in self.pools]
        self.labels = labels_of(listing, classes) if classes else None
        self._counts = [0]  # small batches before each one

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        start, step = (worker.id, worker.num_workers) if worker else (0, 1)
        torch.set_num_threads(1)
        for number in range(self.first + start, self.last, step):
            yield self.batch(number)

    def batch(self, number: int) -> Batch:
        """Batch `number` of the run."""
        s = self.settings
        tiny = self._is_small(number)
        size, count = (s.small_size, s.small_batch) if tiny else (s.size, s.batch)
        rng = np.random.default_rng((self.seed, number, self.rank))
        pool, chances = self.pools[tiny], self.chances[tiny]
        if s.order == "epochs":
            before = self._before(number, tiny) * self.ranks + self.rank
            chosen = pool[_in_turn(before * count, count, len(pool), self.seed)]
        else:
            chosen = rng.choice(pool, count, p=chances)
        variants = rng.integers(0, s.variants, count) if s.variants else None
        crops = []
        for place, index in enumerate(chosen):
            if variants is not None:  # the same crop whenever this variant's turn comes
                rng = np.random.default_rng((self.seed, int(index), int(variants[place])))
            picture = self.listing.pictures[index]
            crops.append(self.crop(picture, size, rng, whole=tiny))
        batch = {key: torch.from_numpy(np.stack([crop[key] for crop in crops])) for key in crops[0]}
        if self.labels is not None:
            batch["label"] = torch.from_numpy(self.labels[chosen])
        if variants is not None:
            batch["number"] = torch.from_numpy(chosen.astype(np.int64))
            batch["variant"] = torch.from_numpy(variants)
        return batch

    def _is_small(self, number: int) -> bool:
        """Whether a batch is of small pictures; the same on every rank, so that sizes agree."""
        chance = np.random.default_rng((self.seed, number)).random()
        return len(self.pools[1]) > 0 and bool(chance < self.settings.small_share)

    def _before(self, number: int, tiny: bool) -> int:
        """How many earlier batches of the run came from the same pool."""
        if not (len(self.pools[1]) and self.settings.small_share):
            return number
        while len(self._counts) <= number:
            self._counts.append(self._counts[-1] + self._is_small(len(self._counts) - 1))
        small = self._counts[number]
        return small if tiny else number - small


def _in_turn(start: int, count: int, pictures: int, seed: int) -> NDArray[np.intp]:
    """The pictures whose turn it is: all have theirs once in each epoch, in another order each."""
    epochs, places = np.divmod(np.arange(start, start + count), pictures)
    chosen = np.empty(count, np.intp)
    for epoch in np.unique(epochs):
        now = epochs == epoch
        order = np.random.default_rng((seed, 13, int(epoch))).permutation(pictures)
        chosen[now] = order[places[now]]
    return chosen


def loader(crops: Crops, *, workers: int, pin: bool) -> DataLoader[Any]:
    """The batches in order, made by `workers` processes."""
    return DataLoader(
        crops,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=6 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_begin if workers else None,
        timeout=LONGEST_WAIT if workers else 0,
    )


def _begin(worker: int) -> None:
    """Of a process that makes batches: torch has just given it a handler of SIGTERM, which a whole
    group gets, that dies."""
    leave_to_parent()


def labels_of(listing: Listing, classes: Sequence[str]) -> NDArray[np.int64]:
    """The number of each picture's class among `classes`, -1 for those of none, (N,)."""
    numbers = {name: number for number, name in enumerate(classes)}
    names = [*listing.class_names, None]  # label -1 is the last
    labels = np.array([numbers.get(names[label], -1) for label in listing.labels], np.int64)
    if (labels < 0).all():
        raise DataError(
            f"no picture is of one of the classes {', '.join(classes)}; there are "
            f"{', '.join(listing.class_names) or 'none'}. Change network.classes, or give pictures "
            "in folders named after their classes."
        )
    return labels


def known_labels(listing: Listing, classes: Sequence[str]) -> NDArray[np.int64]:
    """As `labels_of`; none at all, (0,), of pictures that have none of the classes."""
    known = set(classes) & set(listing.class_names)
    return labels_of(listing, classes) if known else np.empty(0, np.int64)


def seen_size(data: Data) -> int:
    """The short side of a photograph in which things are as large as in its crops, on average.

    A crop covers a share of the photograph's largest square, `least_area` to all of it.
    """
    area = (data.least_area + 1) / 2
    return min(2048, max(32, 32 * round(data.size / float(np.sqrt(area)) / 32)))


def check_small(data: Data) -> None:
    """Refuses small pictures that are larger than the others."""
    if data.small_share and data.small_size > data.size:
        raise RecipeError(
            f"data.small_size = {data.small_size}, but it must be at most data.size = {data.size}. "
            f"Write small_size = {data.size}, or small_share = 0.0 for no small pictures.",
            key="data.small_size",
        )


def check_sizes(data: Data, *, multiple: int) -> None:
    """Refuses crops that the network cannot take."""
    for key in ("size", "small_size", "validation_size"):
        size = getattr(data, key)
        if size % multiple:
            near = max(multiple, size // multiple * multiple)
            raise RecipeError(
                f"data.{key} = {size} does not fit the network, which takes multiples of "
                f"{multiple}. Write for example {key} = {near}.",
                key=f"data.{key}",
            )


def random_square(
    picture: Picture, size: int, settings: Data, rng: np.random.Generator, *, whole: bool = False
) -> Float:
    """A random square of a picture, (S, S, 3) in [0, 1], mirrored with probability 1/2.

    Turned, sheared and enlarged as the settings tell; a `whole` picture's largest square.
    """
    area = 1.0 if whole else settings.least_area
    rgb = _square(picture, size, area, settings.stretch, rng)
    if settings.rotate or settings.shear or settings.zoom:
        rgb = warped(rgb, settings, rng)
    return rgb


def _square(
    picture: Picture, size: int, least_area: float, stretch: float, rng: np.random.Generator
) -> Float:
    image = small.whole(read(picture))
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


def warped(rgb: Float, settings: Data, rng: np.random.Generator) -> Float:
    """A square turned, sheared and enlarged about its middle; its edges go on beyond it."""
    angle = np.radians(rng.uniform(-settings.rotate, settings.rotate))
    shear = np.tan(np.radians(rng.uniform(-settings.shear, settings.shear)))
    scale = rng.uniform(1 - settings.zoom, 1 + settings.zoom)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear], [0, 1]])
    size = len(rgb)
    middle = np.full(2, (size - 1) / 2)
    shift = middle - matrix @ middle
    image = (
        vips()
        .Image.new_from_array(np.ascontiguousarray(rgb))
        .affine(
            matrix.ravel().tolist(),
            odx=shift[0],
            ody=shift[1],
            oarea=[0, 0, size, size],
            interpolate=vips().Interpolate.new("bilinear"),
            extend="copy",
        )
    )
    return np.clip(np.asarray(image.numpy(), np.float32), 0, 1)


def _chances(groups: NDArray[np.int32], settings: Data) -> NDArray[np.float64]:
    """Each picture's chance to be drawn, so that breadth wins over the size of a set."""
    if not len(groups):
        return np.empty(0)
    counts = np.bincount(groups)
    chances = counts[groups].astype(np.float64) ** (settings.set_exponent - 1)
    return np.asarray(chances / chances.sum())
