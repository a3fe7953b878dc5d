"""From a distribution over color bins to one color at each position.

The networks of system A7 answer with 313 numbers at each position: how likely each bin of the
a*b* plane is.

Arrays: a*b* are in Lab units; logits are (313, h, w) float32, colors (h, w, 2).
Sources: Zhang et al. 2016, Colorful Image Colorization (arXiv 1603.08511), section 2.3
(annealed mean).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from opsin.colorize.bins import BINS

Float = NDArray[np.float32]

_BLOCK: Final = 256  # positions decoded at once: their logits and exponentials fit the cache


class Vividness(NamedTuple):
    """How a distribution becomes a color: one point of a model's muted-to-saturated scale."""

    temperature: float
    """1: the plain mean, safe and muted; toward 0: the likeliest bin, saturated and blotchy."""
    gain: float
    """Factor on a*b* after the mean."""


DEFAULT_SCALE: Final = (Vividness(0.7, 0.85), Vividness(0.6, 1.3), Vividness(0.4, 1.7))
"""Settings at vividness 0, 0.5 and 1 for a model whose card gives none: about the highest PSNR,
nearly the truth's colorfulness, and beyond it (`benchmarks/vividness.py`)."""


def setting(vividness: float, scale: tuple[tuple[float, float], ...] = DEFAULT_SCALE) -> Vividness:
    """The temperature and gain at a vividness in [0, 1], on a scale of evenly spaced settings.

    >>> setting(0.25, ((1.0, 1.0), (0.5, 1.0), (0.3, 1.2)))
    Vividness(temperature=0.75, gain=1.0)
    """
    if not 0 <= vividness <= 1:
        raise ValueError(f"vividness must be between 0 (muted) and 1 (saturated), got {vividness}.")
    at = np.linspace(0, 1, len(scale))
    temperatures, gains = zip(*scale, strict=True)
    return Vividness(
        float(np.interp(vividness, at, temperatures)), float(np.interp(vividness, at, gains))
    )


def decode(logits: Float, *, temperature: float = 0.5, gain: float = 1.0) -> tuple[Float, Float]:
    """The annealed mean color of each position, (h, w, 2), and its entropy, (h, w) in [0, 1].

    The entropy is that of the distribution as the network gave it (temperature 1), divided by
    log 313: 0 is certain, 1 knows nothing.

    >>> import numpy as np
    >>> logits = np.zeros((313, 2, 2), np.float32)
    >>> logits[np.flatnonzero((BINS == (40, 20)).all(axis=1))] = 50
    >>> decode(logits)[0][0, 0].round().tolist()
    [40.0, 20.0]
    """
    bins, height, width = logits.shape
    if bins != len(BINS):
        raise ValueError(f"logits must have {len(BINS)} channels, got {bins}.")
    if temperature <= 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    flat = logits.reshape(bins, -1)
    ab = np.empty((flat.shape[1], 2), np.float32)
    entropy = np.empty(flat.shape[1], np.float32)
    for start in range(0, flat.shape[1], _BLOCK):
        part = slice(start, start + _BLOCK)
        ab[part], entropy[part] = _decode_block(flat[:, part], temperature)
    ab *= np.float32(gain)
    return ab.reshape(height, width, 2), entropy.reshape(height, width)


def _decode_block(logits: Float, temperature: float) -> tuple[Float, Float]:
    """The annealed mean (n, 2) and entropy (n,) of logits (313, n)."""
    logits = logits - logits.max(axis=0)
    plain = np.exp(logits)
    total = plain.sum(axis=0)
    # H = log(sum e^x) - sum(x e^x) / sum(e^x)
    entropy = (np.log(total) - np.einsum("qn,qn->n", plain, logits) / total) / np.log(len(BINS))
    sharp = plain if temperature == 1 else np.exp(logits / np.float32(temperature))
    ab: Float = (sharp.T @ BINS) / sharp.sum(axis=0)[:, None]
    return ab, np.clip(entropy, 0, 1).astype(np.float32)
