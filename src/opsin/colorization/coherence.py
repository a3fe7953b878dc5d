"""One surface, one color: a network's answer drawn together where the photograph shows one thing.

A network that is unsure says red here and gray there on the same coat. Neighbors that look alike,
in lightness and in what was answered, are therefore drawn toward each other, so that cells of
which the network is sure lend their color to those of which it is not, up to the thing's edge. Of
all colors x it is those with the least

    sum over cells of  sure * |x - answer|^2  +  sum over neighbors of  alike * |x - x'|^2

found by conjugate gradients. A few steps are enough, and are no farther than a surface reaches.

Related: Levin, Lischinski, Weiss: Colorization using Optimization (2004); Barron, Poole: The Fast
Bilateral Solver (2016, arXiv 1511.03296).
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

LIGHT: Final = 1.5  # L* between neighbors that are alike, and
COLOR: Final = 4.0  # a*b*: a stain has softer edges than a thing, so it counts less
HOLD: Final = 8.0  # how much more a cell of low entropy keeps its color
ROUNDS: Final = 20


def coherent(ab: Floats, light: Floats, entropy: Floats, strength: float) -> Floats:
    """Colors (h, w, 2) drawn together within surfaces; `light` is L* and `entropy` in [0, 1].

    `strength` is what neighbors that are quite alike count, beside a cell of entropy 0.5.

    >>> spot = np.zeros((1, 9, 2), np.float32)
    >>> spot[0, 4] = 1
    >>> done = coherent(spot, np.zeros((1, 9)), np.full((1, 9), 0.5), 100.0)[0, :, 0]
    >>> [round(float(one), 1) for one in done]
    [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    """
    height, width = light.shape
    said = np.ascontiguousarray(ab.reshape(-1, 2).T, np.float32)
    sure = np.exp(HOLD * (0.5 - entropy.ravel())).astype(np.float32)
    alike = _alike(np.concatenate([light.reshape(1, -1) / LIGHT, said / COLOR]), width, strength)
    total = sure.copy()
    for step, link in alike:
        total[step:] += link
        total[:-step] += link

    def pulled(x: Floats) -> Floats:
        y: Floats = total * x
        for step, link in alike:
            y[:, step:] -= link * x[:, :-step]
            y[:, :-step] -= link * x[:, step:]
        return y

    color = said.copy()
    left = sure * said - pulled(color)
    way = near = left / total
    size = (left * near).sum(axis=1, keepdims=True)
    for _ in range(ROUNDS):
        there = pulled(way)
        far = size / ((way * there).sum(axis=1, keepdims=True) + np.float32(1e-12))
        color += far * way
        left -= far * there
        near = left / total
        before, size = size, (left * near).sum(axis=1, keepdims=True)
        way = near + size / (before + np.float32(1e-12)) * way
    return np.ascontiguousarray(color.T).reshape(height, width, 2)


def _alike(seen: Floats, width: int, strength: float) -> list[tuple[int, Floats]]:
    """How alike each cell of what is seen, (3, n), is to the next one, and to that below."""
    links = []
    for step in (1, width):
        apart = ((seen[:, step:] - seen[:, :-step]) ** 2).sum(axis=0)
        links.append((step, (strength * np.exp(-apart / 2)).astype(np.float32)))
    links[0][1][width - 1 :: width] = 0  # the last of a row has no next
    return links
