"""Training the colorizers: puts recipe, pictures, objective and the one loop together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
import torch.distributed as dist

from opsin.colorize.data import Crops, Data, labels_of, loader
from opsin.colorize.features import FeatureCache
from opsin.colorize.recipe import check_sizes, tables_of
from opsin.colorize.systems import System, start_network
from opsin.colorize.validation import Validation
from opsin.training import loop, report, splits
from opsin.training.recipe import Recipe
from opsin.training.shards import Listing, list_pictures

VALIDATION_PICTURES = 192


def train(
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    *,
    validation: Sequence[Path] = (),
    workers: int | None = None,
    show: Callable[[str], None] = lambda text: None,
    advance: Callable[[int, str], None] = lambda step, text: None,
) -> Path:
    """Trains by a recipe on folders and tars of photographs; the run's checkpoint.

    A run that was stopped goes on where its last checkpoint is: call it again with the same
    arguments. `validation` are pictures to validate on, which are kept out of training, near-
    duplicates too; without them some of `data` are held back. `show` is told in words what
    happens, `advance` of each step.
    """
    system, settings, goal = tables_of(recipe)
    torch.manual_seed(recipe.seed)
    network = start_network(system)
    multiple = int(network.multiple)  # type: ignore[arg-type]  # each network says it
    check_sizes(settings, multiple=multiple, stride=system.target_stride)
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_bytes(msgspec.json.format(msgspec.json.encode(recipe)))
    classes = system.class_names()
    listing, held = pictures(recipe, settings, data, validation, show, classes=bool(classes))
    show(describe(listing))

    stepper = loop.make_stepper(recipe)
    cache = _cache(system, settings, listing, seed=recipe.seed)
    objective = system.objective(network, goal, stepper, cache)
    checkpoint, first, average = out / "checkpoint.pt", 0, None
    if checkpoint.exists():
        first, average = loop.load_checkpoint(checkpoint, objective)
        show(f"going on after step {first} of {recipe.steps}")
    batches = _batches(recipe, settings, system, listing, first, stepper.device.type, workers)
    validate = Validation(
        objective,
        held.pictures,
        out,
        size=settings.validation_size,
        stride=system.target_stride,
        labels=labels_of(held, classes).tolist() if set(classes) & set(held.class_names) else (),
    )
    log = report.RunLog(
        out,
        steps=recipe.steps,
        first=first,
        validate=validate,
        show=show,
        advance=advance,
        about={
            "training": describe(listing),
            "validation": describe(held),
            "sheets": "the photograph, gray, then the answers",
        },
    )
    loop.train(recipe, objective, batches, out=out, log=log, average=average, first=first)
    if dist.is_initialized():
        dist.destroy_process_group()
    return checkpoint


def _batches(
    recipe: Recipe,
    settings: Data,
    system: System,
    listing: Listing,
    first: int,
    device: str,
    workers: int | None,
) -> Iterable[loop.Batch]:
    """The run's batches after step `first`, made beside the training."""
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    crops = Crops(
        listing,
        settings,
        seed=recipe.seed,
        first=first,
        last=recipe.steps,
        stride=system.target_stride,
        gives=system.gives,
        classes=system.class_names(),
        rank=rank,
        ranks=ranks,
    )
    if workers is None:
        cores = os.cpu_count() or 1
        workers = min(2, cores) if device == "cpu" else cores - 1
    return loader(crops, workers=workers, pin=device == "cuda")


def pictures(
    recipe: Recipe,
    settings: Data,
    data: Sequence[Path],
    validation: Sequence[Path],
    show: Callable[[str], None],
    *,
    classes: bool,
) -> tuple[Listing, Listing]:
    """What is trained on, and what is validated on, apart from each other.

    Two splits of one set are as far apart as its makers wished: portraits alike in framing count
    as near-duplicates by their hashes, and would be left out for nothing.
    """
    cores = os.cpu_count() or 1
    shown = list_pictures(validation, workers=cores, classes=classes) if validation else None
    listing = list_pictures(
        data,
        least_chroma=settings.least_chroma,
        apart_from=shown.hashes if shown and not same_sets(data, validation) else None,
        workers=cores,
        classes=classes,
        progress=_counter(show),
    )
    return (listing, shown) if shown else hold_back(listing, VALIDATION_PICTURES, seed=recipe.seed)


def same_sets(data: Sequence[Path], validation: Sequence[Path]) -> bool:
    """Whether all pictures to validate on are another split of a set that is trained on."""
    trained = dict(splits.split_of(path) for path in data)
    return all(
        split is not None and trained.get(path) not in (None, split)
        for path, split in map(splits.split_of, validation)
    )


def hold_back(listing: Listing, count: int, *, seed: int) -> tuple[Listing, Listing]:
    """Takes pictures out for validation, the same ones for the same pictures and seed."""
    usable = np.flatnonzero(listing.short_side >= min(128, int(np.median(listing.short_side))))
    count = min(count, len(usable) // 10)
    chosen = np.random.default_rng((seed, 77)).choice(usable, count, replace=False)
    rest = np.setdiff1d(np.arange(len(listing.pictures)), chosen)
    return listing.take(rest), listing.take(chosen)


def describe(listing: Listing) -> str:
    """How many pictures of which sets there are, and why others were left out."""
    counts = np.bincount(listing.groups, minlength=len(listing.group_names))
    named = zip(listing.group_names, counts, strict=True)
    sets = ", ".join(f"{name} {count}" for name, count in named)
    left = ", ".join(f"{count} {reason}" for reason, count in listing.left_out.items())
    return f"{len(listing.pictures)} pictures ({sets}); left out: {left}"


def _cache(system: System, settings: Data, listing: Listing, *, seed: int) -> FeatureCache | None:
    """Where the classifier's answers are kept, for pictures that come again as they were."""
    classifier = system.classifier_name()
    if not (settings.variants and classifier):
        return None
    names = [f"{picture.name}:{picture.bytes}" for picture in listing.pictures]
    key = msgspec.json.encode([classifier, seed, settings, names]).decode()
    return FeatureCache(key, pictures=len(names), variants=settings.variants)


def _counter(show: Callable[[str], None]) -> Callable[[int, int], None]:
    def count(done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            show(f"looked through {done} of {total} sets")

    return count
