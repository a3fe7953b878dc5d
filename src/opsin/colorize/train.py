"""Training the colorizers: puts recipe, pictures, objective and the one loop together."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn

from opsin.appearance import colorfulness
from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorize.data import Crops, Data, loader
from opsin.colorize.decode import decode
from opsin.colorize.objective import BinsObjective, Network, Settings
from opsin.errors import DataError
from opsin.training import loop, report
from opsin.training.recipe import Recipe, section
from opsin.training.shards import Listing, Picture, list_pictures, read

Float = NDArray[np.float32]

VALIDATION_PICTURES = 192
VALIDATION_SIZE = 192


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
    settings = section(recipe.data, Data, where="[data]")
    network = section(recipe.network, Network, where="[network]")
    goal = section(recipe.objective, Settings, where="[objective]")
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_bytes(msgspec.json.format(msgspec.json.encode(recipe)))
    cores = os.cpu_count() or 1
    shown = list_pictures(validation, workers=cores) if validation else None
    listing = list_pictures(
        data,
        least_chroma=settings.least_chroma,
        apart_from=shown.hashes if shown else None,
        workers=cores,
        progress=_counter(show),
    )
    if shown:
        held = shown.pictures
    else:
        listing, held = hold_back(listing, VALIDATION_PICTURES, seed=recipe.seed)
    show(_describe(listing))

    torch.manual_seed(recipe.seed)
    stepper = loop.make_stepper(recipe)
    objective = BinsObjective(network, goal, stepper=stepper)
    checkpoint, first, average = out / "checkpoint.pt", 0, None
    if checkpoint.exists():
        first, average = loop.load_checkpoint(checkpoint, objective)
        show(f"going on after step {first} of {recipe.steps}")
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    crops = Crops(
        listing, settings, seed=recipe.seed, first=first, last=recipe.steps, rank=rank, ranks=ranks
    )
    on_cpu = stepper.device.type == "cpu"
    batches = loader(
        crops,
        workers=workers if workers is not None else min(2, cores) if on_cpu else cores - 1,
        pin=stepper.device.type == "cuda",
    )
    squares = [rgb for rgb in map(_square, held) if rgb is not None]
    log = report.RunLog(
        out,
        steps=recipe.steps,
        first=first,
        validate=Validation(objective, squares, out),
        show=show,
        advance=advance,
    )
    loop.train(recipe, objective, batches, out=out, log=log, average=average, first=first)
    if dist.is_initialized():
        dist.destroy_process_group()
    return checkpoint


def hold_back(listing: Listing, count: int, *, seed: int) -> tuple[Listing, list[Picture]]:
    """Takes pictures out for validation, the same ones for the same pictures and seed."""
    usable = np.flatnonzero(listing.short_side >= 128)
    count = min(count, len(usable) // 10)
    chosen = np.random.default_rng((seed, 77)).choice(usable, count, replace=False)
    rest = np.setdiff1d(np.arange(len(listing.pictures)), chosen)
    kept = Listing(
        [listing.pictures[index] for index in rest],
        listing.groups[rest],
        listing.group_names,
        listing.short_side[rest],
        listing.chroma[rest],
        listing.hashes[rest],
        listing.left_out,
    )
    return kept, [listing.pictures[index] for index in chosen]


class Validation:
    """Figures of the averaged network on held-back pictures, and a sheet of some of them."""

    def __init__(self, objective: BinsObjective, pictures: list[Float], out: Path) -> None:
        if not pictures:
            raise DataError("too few pictures to hold some back for validation: at least 10.")
        self.objective, self.out = objective, out
        self.lab = rgb_to_lab(np.stack(pictures))
        self.rgb = np.stack(pictures)

    def __call__(self, step: int, network: nn.Module) -> dict[str, float]:
        losses, muted, default, ratios = [], [], [], []
        rows: list[Float] = []
        for start in range(0, len(self.lab), 16):
            lab, rgb = self.lab[start : start + 16], self.rgb[start : start + 16]
            light = torch.from_numpy(np.ascontiguousarray(lab[..., 0][:, None]))
            logits = self.objective.answer(network, light)
            losses.append(self._loss(logits, lab))
            for one, truth, true_rgb in zip(logits, lab, rgb, strict=True):
                answers = [self._paint(one, truth, t) for t in (1.0, 0.4)]
                gray = lab_to_rgb(truth * np.array([1, 0, 0], np.float32))
                muted.append(_psnr(answers[0], true_rgb) - _psnr(gray, true_rgb))
                default.append(_psnr(answers[1], true_rgb) - _psnr(gray, true_rgb))
                ratios.append((colorfulness(answers[1]), colorfulness(true_rgb)))
                if len(rows) < 24:
                    rows.append(np.concatenate([true_rgb, gray, *answers], axis=1))
        _save_sheet(rows, self.out / "sheets" / f"step-{step:07d}.jpg")
        color, truth = np.mean(ratios, axis=0)
        return {
            "loss": float(np.mean(losses)),
            "psnr over gray, muted": float(np.mean(muted)),
            "psnr over gray, T=0.4": float(np.mean(default)),
            "colorfulness, share of truth, T=0.4": float(color / truth),
        }

    def _loss(self, logits: Float, lab: Float) -> float:
        small = lab[..., 1:].reshape(len(lab), logits.shape[2], 4, logits.shape[3], 4, 2)
        ab = torch.from_numpy(small.mean(axis=(2, 4)).reshape(-1, 2))
        rows = torch.from_numpy(logits).permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
        device = self.objective.stepper.device
        return float(self.objective.rows_loss(rows.to(device), ab.to(device))[1]["loss"])

    @staticmethod
    def _paint(logits: Float, lab: Float, temperature: float) -> Float:
        ab, _ = decode(logits, temperature=temperature)
        large = ab.repeat(4, axis=0).repeat(4, axis=1)
        return lab_to_rgb(np.concatenate([lab[..., :1], large], axis=2))


def _square(picture: Picture) -> Float | None:
    """The middle square of a picture, (192, 192, 3) in [0, 1]."""
    import pyvips

    try:
        image = pyvips.Image.thumbnail_buffer(
            read(picture), VALIDATION_SIZE, height=VALIDATION_SIZE, crop="centre"
        ).colourspace("srgb")
    except pyvips.Error:
        return None
    if image.hasalpha():
        image = image.flatten(background=255)
    pixels = image.numpy()
    if pixels.shape != (VALIDATION_SIZE, VALIDATION_SIZE, 3):
        return None
    return np.asarray(pixels, np.float32) / np.float32(255)


def _psnr(one: Float, other: Float) -> float:
    return float(-10 * np.log10(max(float(((one - other) ** 2).mean()), 1e-10)))


def _save_sheet(rows: list[Float], path: Path) -> None:
    """Rows of truth, gray, muted and vivid, three rows side by side."""
    import pyvips

    path.parent.mkdir(exist_ok=True)
    thirds = [np.concatenate(rows[i::3][: len(rows) // 3 or 1]) for i in range(min(3, len(rows)))]
    sheet = (np.concatenate(thirds, axis=1) * 255).round().astype(np.uint8)
    pyvips.Image.new_from_array(sheet).jpegsave(str(path), Q=88)


def _describe(listing: Listing) -> str:
    counts = np.bincount(listing.groups, minlength=len(listing.group_names))
    named = zip(listing.group_names, counts, strict=True)
    sets = ", ".join(f"{name} {count}" for name, count in named)
    left = ", ".join(f"{count} {reason}" for reason, count in listing.left_out.items())
    return f"{len(listing.pictures)} pictures ({sets}); left out: {left}"


def _counter(show: Callable[[str], None]) -> Callable[[int, int], None]:
    def count(done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            show(f"looked through {done} of {total} sets")

    return count
