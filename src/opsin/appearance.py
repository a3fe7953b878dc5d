"""How colors look to people: chroma, colorfulness, CIEDE2000, and whether a picture has any.

Colors are float32 arrays as in `opsin.color`. References: Sharma, Wu, Dalal 2005 (CIEDE2000);
Hasler and Suesstrunk 2003 (colorfulness).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from opsin.color import Floats, Pixels, in_strips, rgb_to_lab


def chroma(lab: Any) -> Floats:
    """C*ab (...) of L*a*b* (..., 3), or of a*b* (..., 2).

    >>> float(chroma([50.0, 3.0, 4.0]))
    5.0
    """
    lab = np.asarray(lab, np.float32)
    return np.asarray(np.hypot(lab[..., -2], lab[..., -1]), np.float32)


def delta_e_2000(lab1: Any, lab2: Any) -> Floats:
    """CIEDE2000 color difference (...) of two L*a*b* arrays (..., 3).

    Sharma, Wu, Dalal: The CIEDE2000 color-difference formula: implementation notes,
    Color Research & Application 30 (2005) 21-30.
    """
    lab1, lab2 = np.broadcast_arrays(np.asarray(lab1, np.float32), np.asarray(lab2, np.float32))
    pair = np.concatenate([lab1, lab2], axis=-1)
    return in_strips(_differ, pair, 6, 1)[..., 0]


def colorfulness(rgb: Any) -> float:
    """Colorfulness of sRGB (..., 3) in [0, 1]: 0 for gray, 45 moderate, 109 extreme.

    M3 of Hasler and Suesstrunk, Measuring colourfulness in natural images (2003), on
    the scale 0..255.
    """
    r, g, b = np.moveaxis(np.asarray(rgb, np.float32) * 255, -1, 0)
    rg, yb = r - g, (r + g) / 2 - b
    spread = np.hypot(rg.std(dtype=np.float64), yb.std(dtype=np.float64))
    mean = np.hypot(rg.mean(dtype=np.float64), yb.mean(dtype=np.float64))
    return float(spread + 0.3 * mean)


def tone_of(rgb: Pixels) -> Literal["gray", "toned", "color"]:
    """What the colors of sRGB pixels (H, W, 3) are: none, one hue only (sepia), or many.

    Judged from averages over small squares, which evens out noise and JPEG's blocks. A toned
    picture has one color for each lightness, and on uneven paper more or less of one hue. A
    faint even tint, chroma below 6.5 as scanners leave it, still counts as gray.

    >>> tone_of(np.full((64, 64, 3), (120, 100, 70), np.uint8))
    'toned'
    """
    lab = rgb_to_lab(_squares(rgb)).reshape(-1, 3)
    ab = lab[:, 1:]
    level = np.clip(lab[:, 0] / 6.25, 0, 15).astype(np.intp)
    usual = np.zeros((16, 2), np.float32)
    for k in np.unique(level):
        usual[k] = np.median(ab[level == k], axis=0)
    unlike = ab - usual[level]
    hue = ab.mean(axis=0) / max(float(np.hypot(*ab.mean(axis=0))), 1e-6)
    spread = float(np.percentile(chroma(unlike), 98))
    across = float(np.percentile(np.abs(unlike @ np.array([-hue[1], hue[0]])), 98))
    if not (spread < 6 and across < 3.6) and across >= 1.9:
        return "color"
    return "toned" if float(np.percentile(chroma(ab), 95)) >= 6.5 else "gray"


def _squares(pixels: Pixels) -> Floats:
    """Averages in [0, 1] over squares, about 64 to the short side; the remainder is cut off."""
    size = max(1, min(pixels.shape[:2]) // 64)
    h, w = (n // size for n in pixels.shape[:2])
    rows = pixels[: h * size, : w * size].reshape(h, size, -1)
    sums = rows.sum(axis=1, dtype=np.float32)  # whole rows first, which is five times as fast
    means = sums.reshape(h, w, size, 3).sum(axis=2) / np.float32(size**2)
    return np.asarray(means / np.iinfo(pixels.dtype).max, np.float32)


def _differ(planes: Floats, scratch: Floats) -> None:
    """CIEDE2000 of L1, a1, b1, L2, a2, b2, left in the first plane; in double precision."""
    l1, a1, b1, l2, a2, b2 = planes.astype(np.float64)
    stretch = 1.5 - 0.5 * _blueness((_norm(a1, b1) + _norm(a2, b2)) / 2)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = _norm(a1, b1), _norm(a2, b2)
    h1, h2 = (h + np.where(h < 0, 2 * np.pi, 0) for h in (np.arctan2(b1, a1), np.arctan2(b2, a2)))
    gray = c1 * c2 == 0

    # From the first hue to the second the shorter way round, and halfway between the two.
    turn = h2 - h1
    far = np.abs(turn) > np.pi + 1e-9  # opposite hues: the table counts them as near
    turn -= np.where(far, np.copysign(2 * np.pi, turn), 0)
    hue = np.where(gray, h1 + h2, (h1 + h2) / 2 + np.where(far, np.pi, 0))
    cos, sin = np.cos(hue), np.sin(hue)
    cos2, sin2 = 2 * cos * cos - 1, 2 * sin * cos
    t = (
        1
        - 0.17 * (cos * _COS[30] + sin * _SIN[30])
        + 0.24 * cos2
        + 0.32 * ((cos2 * cos - sin2 * sin) * _COS[6] - (sin2 * cos + cos2 * sin) * _SIN[6])
        - 0.20 * ((2 * cos2 * cos2 - 1) * _COS[63] + 2 * sin2 * cos2 * _SIN[63])
    )
    light, color = ((l1 + l2) / 2 - 50) ** 2, (c1 + c2) / 2
    degrees = np.degrees(hue)
    degrees -= 360 * np.floor(degrees / 360)
    arc = (degrees - 275) / 25
    dl = (l2 - l1) / (1 + 0.015 * light / np.sqrt(20 + light))
    dc = (c2 - c1) / (1 + 0.045 * color)
    dh = np.where(gray, 0, 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)) / (1 + 0.015 * color * t)
    rotation = -2 * _blueness(color) * np.sin(np.radians(60) * np.exp(-arc * arc))
    planes[0] = np.sqrt(np.maximum(dl * dl + dc * dc + dh * dh + rotation * dc * dh, 0))


_COS, _SIN = ({n: float(f(np.radians(n))) for n in (6, 30, 63)} for f in (np.cos, np.sin))


def _blueness(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    cubed = chroma * chroma * chroma
    seventh = cubed * cubed * chroma
    return np.asarray(np.sqrt(seventh / (seventh + 25.0**7)))


def _norm(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(a * a + b * b))
