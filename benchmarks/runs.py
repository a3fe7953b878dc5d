"""Training runs of one question side by side, as they are and at equal colorfulness.

    python benchmarks/runs.py faces.tar:val --run runs/softmax --run runs/logits --sheet faces.jpg

Takes the runs' folders, not exported models: each network sees the middle square of each picture
at the size of its crops and answers by itself, nothing is enlarged along edges. A paler network
has the better PSNR, so beside the plain figures each answer's a* and b* are multiplied by the one
gain at which the mean colorfulness is `--share` of the truth's. "edges" is the correlation, within
each picture, of the sizes of the color steps between neighbors in the answer and in the truth: it
is low where colors leak, and no gain changes it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyvips
import torch
from numpy.typing import NDArray

from opsin.appearance import colorfulness, delta_e_2000
from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.colorization.task import TASK
from opsin.evaluate.bootstrap import bootstrap
from opsin.evaluate.colorization.equal import curve, gain_for
from opsin.sets.pictures import read
from opsin.training.finished import read_run
from opsin.training.validation import save_sheet

Float = NDArray[np.float32]
HEAD = (
    "| run | PSNR over gray | CIEDE2000 | CF, share of truth | larger channel | edges "
    "| gain to {share:.0%} CF | PSNR over gray | CIEDE2000 |\n" + "|---" * 9 + "|"
)


class Figures(NamedTuple):
    """A row for each picture."""

    psnr: NDArray[np.float64]
    delta_e: NDArray[np.float64]
    colorfulness: NDArray[np.float64]
    larger: NDArray[np.float64]
    edges: NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--run", action="append", type=Path, default=[], dest="runs")
    parser.add_argument("--share", type=float, default=0.6, help="of the truth's colorfulness")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--sheet", type=Path, help="truth, gray, then the runs, 24 pictures")
    arguments = parser.parse_args()
    size = read_run(arguments.runs[0]).recipe.data["size"]
    pictures = read(arguments.data, limit=arguments.limit)
    lab = rgb_to_lab(np.stack([square(pixels, size) for _, pixels in pictures]))
    answers = {"gray": np.zeros_like(lab[..., 1:])}
    answers["one brown for all"] = answers["gray"] + lab[..., 1:].mean(axis=(0, 1, 2))
    answers |= {run.name: answer(run, lab[..., 0]) for run in arguments.runs}
    print(f"{len(lab)} pictures of {size} pixels; 95 % bootstrap intervals")
    print(HEAD.format(share=arguments.share))
    for name, ab in answers.items():
        print(row(name, ab, lab, arguments.share))
    if arguments.sheet:
        shown = [lab[..., 1:], *(ab for name, ab in answers.items() if not name.startswith("one"))]
        rows = [np.concatenate([paint(lab[i], ab[i]) for ab in shown], axis=1) for i in range(24)]
        save_sheet(rows, arguments.sheet)


def square(pixels: NDArray[np.uint8], size: int) -> Float:
    """The middle square of a picture, (S, S, 3) in [0, 1]."""
    image = pyvips.Image.new_from_array(pixels).thumbnail_image(size, height=size, crop="centre")
    return np.asarray(image.numpy(), np.float32) / np.float32(255)


def answer(run: Path, light: Float) -> Float:
    """a*b* (N, S, S, 2) of L* (N, S, S), by a run's averaged network."""
    done = read_run(run)
    system = TASK.system(done.recipe.network)
    network = system.build().eval()
    network.load_state_dict(done.weights, strict=True)
    found = []
    with torch.no_grad():
        for part in torch.from_numpy(light)[:, None].split(16):  # type: ignore[no-untyped-call]
            found.append(network(**network.given(part)).permute(0, 2, 3, 1).numpy())
    return np.concatenate(found)


def row(name: str, ab: Float, lab: Float, share: float) -> str:
    """A line of the table."""
    plain = figures(ab, lab)
    true = float(np.mean([colorfulness(lab_to_rgb(one)) for one in lab]))
    cells = [f"{plain.psnr.mean():+.2f}", between(plain.delta_e)]
    cells += [f"{plain.colorfulness.mean() / true:.0%}", f"{plain.larger.mean():.1%}"]
    cells.append(f"{np.nanmean(plain.edges):.3f}" if np.isfinite(plain.edges).any() else "")
    if name == "gray":
        return f"| {name} | {' | '.join(cells)} | | | |"
    curves = [
        curve(np.ascontiguousarray(truth[..., 0]), one) for truth, one in zip(lab, ab, strict=True)
    ]
    gain = gain_for(curves, share * true, name)
    scaled = figures(gain * ab, lab)
    cells += [f"{gain:.2f}", f"{scaled.psnr.mean():+.2f}", between(scaled.delta_e)]
    return f"| {name} | {' | '.join(cells)} |"


def between(values: NDArray[np.float64]) -> str:
    one = bootstrap(values[:, None])[0]
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def figures(ab: Float, lab: Float) -> Figures:
    """The figures of answers (N, S, S, 2) to pictures (N, S, S, 3)."""
    rows = []
    for color, truth in zip(ab, lab, strict=True):
        rgb, painted = lab_to_rgb(truth), paint(truth, color)
        gray = paint(truth, np.zeros_like(color))
        with np.errstate(invalid="ignore"):  # of one color: no steps, nan
            edges = np.corrcoef(steps(color).ravel(), steps(truth[..., 1:]).ravel())[0, 1]
        errors = [max(float(((one - rgb) ** 2).mean()), 1e-10) for one in (gray, painted)]
        over = 10 * np.log10(errors[0] / errors[1])
        delta_e = delta_e_2000(rgb_to_lab(painted), truth).mean()
        larger = (color.argmax(axis=2) == truth[..., 1:].argmax(axis=2)).mean()
        rows.append([over, delta_e, colorfulness(painted), larger, edges])
    return Figures(*np.array(rows, np.float64).T)


def paint(lab: Float, ab: Float) -> Float:
    """sRGB of a picture's L* and these colors."""
    return lab_to_rgb(np.concatenate([lab[..., :1], ab], axis=-1).astype(np.float32))


def steps(ab: Float) -> Float:
    """How far each pixel's color is from those of its right and lower neighbors, (S-1, S-1)."""
    across, down = np.diff(ab, axis=1)[:-1], np.diff(ab, axis=0)[:, :-1]
    return np.asarray(np.sqrt((across**2).sum(axis=2) + (down**2).sum(axis=2)), np.float32)


if __name__ == "__main__":
    main()
