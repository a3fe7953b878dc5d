"""Tables of confusions, and curves of one share over another, as parts of a page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from opsin.files import shown

SIDE: Final = 240
LEFT, TOP, RIGHT, BOTTOM = 56, 10, 20, 38
TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


def confusion_table(names: Sequence[str], table: Any) -> str:
    """HTML of counts (n, n): rows are what is true, columns what it was called."""
    shares = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    escaped = [html.escape(shown(name)) for name in names]
    heads = "".join(f"<th scope=col><span>{name}</span>" for name in escaped)
    rows = []
    for name, counts, row in zip(escaped, table, shares, strict=True):
        cells = "".join(
            f'<td style="--share:{share:.2f}">{count or ""}'
            for count, share in zip(counts, row, strict=True)
        )
        rows.append(f"<tr><th scope=row>{name}{cells}\n")
    return f"<table class=confusion>\n<tr><td>{heads}\n{''.join(rows)}</table>\n"


def share_curves(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    *,
    across: str,
    up: str,
    dots: bool = False,
) -> str:
    """An SVG element of points (x, y) from 0 to 1 by the names of their curves, over the diagonal.

    `across` and `up` are the words at the axes. With `dots` each point is one that tells its
    value when the pointer rests on it. The first curve has the page's accent, others its other
    colors.
    """
    width, height = LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x * SIDE, TOP + (1 - y) * SIDE

    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{html.escape(up)} over {html.escape(across)}">'
    ]
    for tick in TICKS:
        (x, y), (right, top) = place(tick, tick), place(1, 1)
        parts += [
            f'<line class="rule" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>',
            f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{TOP + SIDE}"/>',
            f'<text class="y" x="{LEFT - 5}" y="{y:.1f}">{tick:.0%}</text>',
            f'<text class="x" x="{x:.1f}" y="{TOP + SIDE + 14}">{tick:.0%}</text>',
        ]
    corners = " ".join("{:.1f},{:.1f}".format(*place(*one)) for one in ((0, 0), (1, 1)))
    parts.append(f'<polyline class="diagonal" points="{corners}"/>')
    for number, (name, points) in enumerate(curves.items()):
        places = [place(*point) for point in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        title = f"<title>{html.escape(shown(name))}</title>"
        parts.append(f'<polyline class="curve c{number % 4}" points="{path}">{title}</polyline>')
        for (x, y), (true_x, true_y) in zip(places, points, strict=True) if dots else ():
            told = f"{html.escape(shown(name))}: {true_x:.1%}, {true_y:.1%}"
            parts.append(
                f'<circle class="c{number % 4}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
                f"<title>{told}</title></circle>"
            )
    middle = LEFT + SIDE / 2
    parts.append(f'<text class="x" x="{middle}" y="{height - 6}">{html.escape(across)}</text>')
    turned = f'transform="rotate(-90 10 {TOP + SIDE / 2})"'
    parts.append(f'<text class="x" x="10" y="{TOP + SIDE / 2}" {turned}>{html.escape(up)}</text>')
    return "".join([*parts, "</svg>\n"])
