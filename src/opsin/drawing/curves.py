"""Curves over the steps of a run, as SVG that takes its colors from the page it stands in.

Training has many points: they are drawn thin, with their moving mean above. Validation has few:
each is a dot that tells its value when the pointer rests on it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import Final, NamedTuple

import numpy as np

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 16, 10, 24
MOST_POINTS: Final = 500
SMOOTHED: Final = 30  # a moving mean over one thirtieth of the points


class Curve(NamedTuple):
    """Values at steps; those that are no number are left out."""

    steps: Sequence[float]
    values: Sequence[float]

    def points(self) -> list[tuple[float, float]]:
        pairs = zip(self.steps, self.values, strict=True)
        return [(step, value) for step, value in pairs if isfinite(value)]


def draw(name: str, *, training: Curve | None = None, validation: Curve | None = None) -> str:
    """An SVG element; empty axes where there is nothing to show."""
    trained = _fewer(training.points()) if training else []
    held = validation.points() if validation else []
    right = max([1.0, *(step for step, _ in trained + held)])
    low, high = _limits([value for _, value in trained], [value for _, value in held])

    def x(step: float) -> float:
        return LEFT + step / right * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def line(points: Sequence[tuple[float, float]], style: str) -> str:
        path = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)
        return f'<polyline class="{style}" points="{path}"/>' if len(points) > 1 else ""

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}">']
    for tick in ticks(low, high):
        at = f"{y(tick):.1f}"
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{at}">{_short(tick)}</text>')
    for tick in ticks(0, right):
        parts.append(f'<text class="x" x="{x(tick):.1f}" y="{HEIGHT - 6}">{_short(tick)}</text>')
    box = f"{LEFT} {TOP - 4} {WIDTH - LEFT} {HEIGHT - BOTTOM - TOP + 4}"
    left, top, width, height = box.split()
    parts += [  # an inner SVG cuts off what leaves the range
        f'<svg x="{left}" y="{top}" width="{width}" height="{height}" viewBox="{box}">',
        line(trained, "raw"),
        line(_smooth(trained), "training"),
        line(held, "validation"),
        "</svg>",
    ]
    for step, value in held:
        parts.append(
            f'<circle class="validation" cx="{x(step):.1f}" cy="{y(value):.1f}" r="2.6">'
            f"<title>step {step:,.0f}: {value:.5g}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from `low` to `high`.

    >>> ticks(0, 4800)
    [0.0, 1000.0, 2000.0, 3000.0, 4000.0]
    """
    rough = (high - low) / count
    unit = 10.0 ** floor(log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [number * step for number in range(first, last + 1)]


def _limits(trained: Sequence[float], held: Sequence[float]) -> tuple[float, float]:
    """The range to show: the loss of the first steps may leave it, so that the rest is seen."""
    shown = list(held)
    if trained:
        low, high = np.percentile(trained, (5, 95))
        margin = high - low
        shown += [max(min(trained), low - margin), min(max(trained), high + margin)]
    if not shown:
        return 0.0, 1.0
    low, high = min(shown), max(shown)
    margin = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _fewer(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS`, each the mean of its neighbors."""
    if len(points) <= MOST_POINTS:
        return points
    parts = np.array_split(np.array(points), MOST_POINTS)
    return [(float(part[-1, 0]), float(part[:, 1].mean())) for part in parts]


def _smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    half = len(points) // SMOOTHED // 2
    if half == 0:
        return points
    values = np.array([value for _, value in points])
    means = [
        float(values[max(0, at - min(half, len(values) - 1 - at)) : at + half + 1].mean())
        for at in range(len(values))
    ]
    return [(step, mean) for (step, _), mean in zip(points, means, strict=True)]


def _short(value: float) -> str:
    """A number for an axis.

    >>> [_short(one) for one in (0.0, 0.25, 3000.0, 20000.0, 1.5e6, -2.0, 0.0002)]
    ['0', '0.25', '3000', '20k', '1.5M', '-2', '2e-4']
    """
    if abs(value) >= 1e6:
        return f"{value / 1e6:.4g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.4g}k"
    if 0 < abs(value) < 1e-3:
        power = floor(log10(abs(value)) + 1e-9)
        return f"{value / 10**power:.3g}e{power}"
    return f"{value:.4g}"
