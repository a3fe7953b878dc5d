"""Training: puts a recipe, its task, pictures, the objective and the one loop together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
import torch.distributed as dist

from opsin.errors import DataError, RecipeError
from opsin.files import few, write_atomically
from opsin.machine import cores
from opsin.sets import splits
from opsin.sets.listing import Listing, list_pictures
from opsin.training import best, loop
from opsin.training.crops import Crops, Data, check_sizes, loader
from opsin.training.recipe import Recipe, recipe_of_run
from opsin.training.run_log import RunLog
from opsin.training.task import Tables, Task, start_network

VALIDATION_PICTURES: Final = 192
RECIPE: Final = "recipe.json"
CHECKPOINT: Final = "checkpoint.pt"
MAY_CHANGE: Final = ("steps", "validate_every", "patience", "license")
"""What a run that goes on may have changed: how long it is, how often it is looked at, and what
`opsin export` writes on the card."""


def train(
    task: Task,
    recipe: Recipe,
    data: Sequence[Path],
    out: Path,
    *,
    validation: Sequence[Path] = (),
    workers: int | None = None,
    on_message: Callable[[str], None] = lambda text: None,
    on_step: Callable[[int, str], None] = lambda step, text: None,
) -> Path:
    """Trains by a recipe of a task on folders and tars of photographs; the run's checkpoint.

    A run that was stopped goes on where its last checkpoint is: call it again with the same
    arguments; a finished one is left as it is. `validation` are pictures to validate on, which
    are kept out of training, near-duplicates too; without them some of `data` are held back.
    `on_message` is told in words what happens, `on_step` of each step.

    Raises `RecipeError` and `DataError` before anything in `out` is changed, and
    `opsin.interrupt.Stopped` after a stop, when everything is saved.
    """
    task.tables(recipe)  # before the pictures are looked at
    recipe = task.complete(recipe, data)

    def find(settings: Data, classes: bool) -> tuple[Listing, Listing]:
        return pictures(recipe, settings, data, validation, on_message, classes=classes)

    return train_on(
        task, recipe, find, out, workers=workers, on_message=on_message, on_step=on_step
    )


def train_on(
    task: Task,
    recipe: Recipe,
    find: Callable[[Data, bool], tuple[Listing, Listing]],
    out: Path,
    *,
    workers: int | None = None,
    on_message: Callable[[str], None] = lambda text: None,
    on_step: Callable[[int, str], None] = lambda step, text: None,
) -> Path:
    """As `train`, on what `find` gives: the pictures to train on and those to validate on.

    It is called with the `[data]` table and whether pictures are to have labels, when the recipe
    and the folder are known to be sound.
    """
    tables = task.tables(recipe)
    system, settings = tables.system, tables.data
    checkpoint, changed = out / CHECKPOINT, _check_run(recipe, out)
    stepper = loop.make_stepper(recipe)
    on_message = on_message if loop.is_lead() else _silent
    torch.manual_seed(recipe.seed)
    network = start_network(system)
    check_sizes(settings, multiple=system.multiple(network))
    listing, held = find(settings, bool(system.class_names()))
    system.check_pictures(listing, held)
    on_message(describe(listing))

    cache = system.cache(settings, listing, recipe.seed)
    objective = system.objective(network, tables.objective, stepper, cache)
    state = loop.State(loop.start_average(objective.network))
    if checkpoint.exists():
        state = loop.load_checkpoint(checkpoint, objective)
        if state.step >= recipe.steps and not changed:
            on_message(f"{out}: this run is finished, all {recipe.steps} steps are done.")
            return checkpoint
        if best.is_enough(out, recipe.patience):
            on_message(f"{out}: this run is finished, it learned no more after {state.step} steps.")
            return checkpoint
        on_message(f"going on after step {state.step} of {recipe.steps}")
    batches = _batches(recipe, tables, listing, state.step, stepper.device.type, workers)
    log = None
    if loop.is_lead():
        validate = system.validation(objective, held, settings, out)
        write_atomically(out / RECIPE, msgspec.json.format(msgspec.json.encode(recipe)))
        about = {"training": describe(listing), "validation": describe(held)}
        log = RunLog(
            out,
            steps=recipe.steps,
            first=state.step,
            validate=validate,
            on_message=on_message,
            on_step=on_step,
            about=about | ({"sheets": system.sheets} if system.sheets else {}),
            patience=recipe.patience,
        )
    loop.train(recipe, objective, batches, state, out=out, log=log, on_message=on_message)
    if dist.is_initialized():
        dist.destroy_process_group()
    return checkpoint


def _silent(text: str) -> None:
    """Of several processes under torchrun one speaks."""


def _check_run(recipe: Recipe, out: Path) -> bool:
    """Refuses a folder that holds the run of another recipe; whether its length was changed."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: this is a file. Give the name of a folder as --out.")
    if not (out / CHECKPOINT).exists():
        return False
    try:
        before = msgspec.to_builtins(recipe_of_run(out / RECIPE))
    except (FileNotFoundError, RecipeError) as error:
        raise DataError(
            f"{out}: there is a checkpoint and no {RECIPE} that says what it is of ({error}). "
            "Train into another --out, or move the folder away."
        ) from error
    now = msgspec.to_builtins(recipe)
    differ = [key for key in _differing(before, now) if key not in MAY_CHANGE]
    if differ:
        raise RecipeError(
            f"{out}: this folder holds a run of the recipe '{before.get('name')}', which has other "
            f"values for {', '.join(differ)}. Nothing was changed. Train into another --out, or "
            "call it with the recipe and the --set that it began with."
        )
    return bool(before.get("steps") != recipe.steps)


def _differing(one: Any, other: Any, key: str = "") -> list[str]:
    """The keys, with their tables, at which two recipes differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [key]
    return [
        found
        for name in dict.fromkeys((*one, *other))
        for found in _differing(one.get(name), other.get(name), f"{key}.{name}".lstrip("."))
    ]


def _batches(
    recipe: Recipe,
    tables: Tables,
    listing: Listing,
    first: int,
    device: str,
    workers: int | None,
) -> Iterable[loop.Batch]:
    """The run's batches after step `first`, made beside the training."""
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    crops = Crops(
        listing,
        tables.data,
        partial(tables.system.crop, settings=tables.data),
        seed=recipe.seed,
        first=first,
        last=recipe.steps,
        classes=tables.system.class_names(),
        rank=rank,
        ranks=ranks,
    )
    if workers is None:
        mine = max(1, cores() // ranks)
        workers = min(2, mine) if device == "cpu" else max(1, mine - 1)
    return loader(crops, workers=workers, pin=device == "cuda")


def pictures(
    recipe: Recipe,
    settings: Data,
    data: Sequence[Path],
    validation: Sequence[Path],
    on_message: Callable[[str], None],
    *,
    classes: bool,
) -> tuple[Listing, Listing]:
    """What is trained on, and what is validated on, apart from each other.

    Two splits of one set are as far apart as its makers wished: portraits alike in framing count
    as near-duplicates by their hashes, and would be left out for nothing.
    """
    shown = list_pictures(validation, workers=cores(), classes=classes) if validation else None
    listing = list_pictures(
        data,
        least_chroma=settings.least_chroma,
        apart_from=shown.hashes if shown and not same_sets(data, validation) else None,
        workers=cores(),
        classes=classes,
        progress=_counter(on_message),
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
    count = min(count, max(len(usable) // 10, int(len(usable) > 1)))
    chosen = np.random.default_rng((seed, 77)).choice(usable, count, replace=False)
    rest = np.setdiff1d(np.arange(len(listing.pictures)), chosen)
    return listing.take(rest), listing.take(chosen)._replace(left_out={})


def describe(listing: Listing) -> str:
    """How many pictures of which sets there are, and why others were left out."""
    counts = np.bincount(listing.groups, minlength=len(listing.group_names))
    named = zip(listing.group_names, counts, strict=True)
    sets = ", ".join(f"{name} {count}" for name, count in named)
    left = ", ".join(f"{count} {reason}" for reason, count in listing.left_out.items())
    left = left.replace(" unreadable", f" unreadable{few(listing.unreadable)}")
    found = f"{len(listing.pictures)} pictures ({sets})"
    return f"{found}; left out: {left}" if left else found


def _counter(on_message: Callable[[str], None]) -> Callable[[int, int], None]:
    def count(done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            on_message(f"looked through {done} of {total} sets")

    return count
