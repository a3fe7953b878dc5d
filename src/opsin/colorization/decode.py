"""From a distribution over color bins to one color at each position.

The networks of system A7 answer with 313 numbers at each position: how likely each bin of the
a*b* plane is.

Arrays: a*b* are in Lab units; logits are (313, h, w) float32, colors (h, w, 2).
Sources: Zhang et al. 2016, Colorful Image Colorization (arXiv 1603.08511), section 2.3
(annealed mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.colorization.bins import BINS
from opsin.colorization.coherence import coherent
from opsin.models.card import Colorize

Float = NDArray[np.float32]

_PIVOT: Final = np.float32(20)  # the chroma that contrast leaves as it is
_BLOCK: Final = 256  # positions decoded at once: their logits and exponentials fit the cache


Scale: TypeAlias = Sequence[tuple[float, float]]
"""Temperature and gain at evenly spaced amounts of vividness."""


class Vividness(NamedTuple):
    """How a distribution becomes a color: one point of a model's muted-to-saturated scale."""

    temperature: float
    """1: the plain mean, safe and muted; toward 0: the likeliest bin, saturated and blotchy."""
    gain: float
    """Factor on a*b* after the mean."""
    contrast: float = 0.0
    """How much stronger strong colors get, and how much weaker weak ones; see `emphasized`."""
    restraint: float = 0.0
    """How much less the gain is where the network is sure; see `restrained`."""
    coherence: float = 0.0
    """How strongly what looks like one surface is drawn to one color; see `coherent`."""


DEFAULT_SCALE: Final = ((0.7, 0.85), (0.6, 1.3), (0.4, 1.7))
"""Settings at vividness 0, 0.5 and 1 for a model whose card gives none: about the highest PSNR,
nearly the truth's colorfulness, and beyond it (`benchmarks/vividness.py`)."""
AB_SCALE: Final = ((1.0, 0.6), (1.0, 1.0), (1.0, 1.4))
"""The same for networks that answer with a*b*."""


def setting(
    vividness: float,
    scale: Scale = DEFAULT_SCALE,
    contrast: float = 0.0,
    restraint: float = 0.0,
    coherence: float = 0.0,
) -> Vividness:
    """The temperature and gain at a vividness in [0, 1], on a scale of evenly spaced settings.

    >>> setting(0.25, ((1.0, 1.0), (0.5, 1.0), (0.3, 1.2)))
    Vividness(temperature=0.75, gain=1.0, contrast=0.0, restraint=0.0, coherence=0.0)
    """
    if not 0 <= vividness <= 1:
        raise ValueError(f"vividness must be between 0 (muted) and 1 (saturated), got {vividness}.")
    at = np.linspace(0, 1, len(scale))
    temperatures, gains = zip(*scale, strict=True)
    return Vividness(
        float(np.interp(vividness, at, temperatures)),
        float(np.interp(vividness, at, gains)),
        contrast,
        restraint,
        coherence,
    )


def setting_of(table: Colorize, vividness: float) -> Vividness:
    """What a model's card says of a vividness."""
    return setting(
        vividness,
        table.vividness or (DEFAULT_SCALE if table.answer == "bins" else AB_SCALE),
        contrast=table.contrast,
        restraint=table.restraint,
        coherence=table.coherence,
    )


def restrained(gain: float, restraint: float, entropy: Float | float) -> Float:
    """The gain where the entropy, in [0, 1], is this: less than `gain` below 0.5, more above.

    A mean is pale only where several colors are likely. Where one is, as of skin, it has its
    strength already, and a gain would make it orange.

    >>> restrained(1.2, 1.0, np.array([0.0, 0.5, 0.75]))
    array([0.6, 1.2, 1.5], dtype=float32)
    """
    stronger = 1 + restraint * (np.asarray(entropy, np.float32) - 0.5)
    return np.asarray(gain * np.maximum(stronger, 0.1), np.float32)


def emphasized(ab: Float, gain: Float | float, contrast: float) -> Float:
    """Colors (..., 2) made stronger: chroma C becomes gain * C * (C / 20) ** contrast.

    `gain` is one number or (...), one for each color.

    A mean over what is likely is too pale everywhere, and palest where it is least sure. One factor
    for all would make the stain on a gray wall as much stronger as the grass.

    >>> emphasized(np.array([[10.0, 0.0], [40.0, 0.0]], np.float32), 1.0, 1.0)[:, 0].tolist()
    [5.0, 80.0]
    """
    stronger = ab * np.asarray(gain, np.float32)[..., None]
    if contrast:
        stronger = stronger * (_chroma(ab) / _PIVOT) ** np.float32(contrast)
    return np.asarray(stronger, np.float32)


def before_emphasis(ab: Float, gain: float, contrast: float) -> Float:
    """The colors (..., 2) of which `emphasized` makes these.

    >>> before_emphasis(np.array([[5.0, 0.0], [80.0, 0.0]], np.float32), 1.0, 1.0)[:, 0].tolist()
    [10.0, 40.0]
    """
    power = np.float32(-contrast / (1 + contrast))
    factor = (_chroma(ab) / (_PIVOT * np.float32(gain))) ** power / np.float32(gain)
    return np.asarray(ab * factor, np.float32)


def _chroma(ab: Float) -> Float:
    return np.asarray(np.maximum(np.linalg.norm(ab, axis=-1, keepdims=True), 1e-3), np.float32)


def decode(
    logits: Float,
    *,
    temperature: float = 0.5,
    gain: float = 1.0,
    contrast: float = 0.0,
    restraint: float = 0.0,
    coherence: float = 0.0,
    light: Float | None = None,
) -> tuple[Float, Float]:
    """The annealed mean color of each position, (h, w, 2), and its entropy, (h, w) in [0, 1].

    The options are those of `Vividness`; coherence needs `light`, the L* of each position, (h, w).

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
    ab: Float = np.empty((flat.shape[1], 2), np.float32)
    entropy: Float = np.empty(flat.shape[1], np.float32)
    for start in range(0, flat.shape[1], _BLOCK):
        part = slice(start, start + _BLOCK)
        ab[part], entropy[part] = _decode_block(flat[:, part], temperature)
    ab, entropy = ab.reshape(height, width, 2), entropy.reshape(height, width)
    if coherence:
        if light is None:
            raise ValueError("coherence needs the L* of each position.")
        ab = coherent(ab, light, entropy, coherence)
    return emphasized(ab, restrained(gain, restraint, entropy), contrast), entropy


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
