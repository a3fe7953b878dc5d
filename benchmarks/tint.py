"""How brown, and how much of one color, a system's answers are.

    python benchmarks/tint.py faces.tar:val --model faces.toml --model color-bins.toml

A network that is unsure and answers with a mean gives everything one tint: the mean a* and b* over
all pixels stay near the truth's, but the spread around them is gone. So beside the mean color:
how far colors lie from their own picture's mean ("within", root mean square) and how far the
pictures' means lie from each other ("between"). Pictures of one color each have nothing within.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import colorfulness
from opsin.color import lab_to_rgb, rgb_to_lab
from opsin.evaluate.colorization.candidates import candidates, systems_of
from opsin.sets.pictures import read

HEAD = (
    "| system | mean a* | mean b* | mean chroma | spread within | spread between | CF |\n"
    "|---|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--vividness", type=float, default=0.5)
    parser.add_argument("--gain", type=float, help="instead of the models' own")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    found = tints(
        arguments.data,
        arguments.model,
        arguments.vividness,
        gain=arguments.gain,
        limit=arguments.limit,
    )
    print(table(found))


def tints(
    data: Sequence[Path],
    models: Sequence[str],
    vividness: float = 0.5,
    *,
    gain: float | None = None,
    limit: int | None = None,
) -> dict[str, NDArray[np.float64]]:
    """The columns of `HEAD` for the truth and each model, at its own gain if none is given."""
    systems = systems_of(candidates(models, vividness, gain=gain))
    pictures: dict[str, list[list[float]]] = {}
    for _, pixels in read(data, limit=limit):
        lab = rgb_to_lab(pixels.astype(np.float32) / 255)
        light, truth = np.ascontiguousarray(lab[..., 0]), lab[..., 1:]
        for name, ab in {"truth": truth, **systems(light)}.items():
            painted = lab_to_rgb(np.concatenate([lab[..., :1], ab], axis=2))
            colors = ab.reshape(-1, 2).astype(np.float64)
            chroma = np.hypot(*colors.T).mean()
            scatter = colors.var(axis=0).sum()
            row = [*colors.mean(axis=0), chroma, scatter, colorfulness(painted)]
            pictures.setdefault(name, []).append([float(value) for value in row])
    return {name: _summary(np.array(rows)) for name, rows in pictures.items()}


def _summary(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, chroma, scatter, colorful = rows.mean(axis=0)
    between = float(np.sqrt(rows[:, :2].var(axis=0).sum()))
    return np.array([a, b, chroma, np.sqrt(scatter), between, colorful])


def table(rows: Mapping[str, NDArray[np.float64]]) -> str:
    lines = [HEAD]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
