"""How good a colorizer is, measured on photographs whose colors are known.

Each photograph is reduced to its L*; the colorizer answers with a*b*; the picture that is judged
has the true L* with the answered a*b*, fitted to the gamut and rounded to 8 bits, as a user would
get it.

The figures, each averaged over pictures; `METRICS` has them in order:

- PSNR in dB and SSIM, on sRGB (`similarity`); a picture's PSNR counts as 60 at most.
- CIEDE2000: the mean over a picture's pixels, and their median.
- Colorfulness CF (Hasler and Suesstrunk 2003): CF itself, by how much its mean is off (signed,
  relative), and its distance in both usual ways: mean |CF - true CF|, |mean CF - mean true CF|.
- AuC (Zhang et al. 2016, section 3.1): the share of pixels whose a*b* is off by at most t, as
  an area over t = 0..150, normalized; plain, and with rare colors counting as much as common
  ones (`prior.rarity` of the true color).
- Channel: the share of pixels at which the larger of a* and b* (signed; a* if equal) is the
  same as in truth. Published as "accuracy" of networks with two output channels.
- Leaking: the mean a*b* distance within 3 pixels of strong edges of L*, and elsewhere.

AuC, channel and leaking judge a*b* as answered, before the gamut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import colorfulness, delta_e_2000
from opsin.color import pixels_of_lab, rgb_to_lab
from opsin.colorization import prior
from opsin.colorization.bins import nearest_bins
from opsin.errors import DataError
from opsin.evaluate import similarity
from opsin.evaluate.report import Metric, Scores, ratio

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

MOST_PSNR = 60.0  # above what rounding to 8 bits leaves (58.9 dB); equal pictures have infinity
MOST_ERROR = 150.0  # Zhang et al. 2016: thresholds of the AuC
STRONG_EDGE = 10.0  # L* a pixel
NEAR = 3  # pixels
PART = 8192  # pixels

METRICS: Final = (
    Metric("psnr", "PSNR dB", ".2f", "higher", "likeness to the true picture"),
    Metric("ssim", "SSIM", ".4f", "higher", "likeness of structure, 1 is the same"),
    Metric("delta_e", "CIEDE2000", ".2f", "lower", "how far colors are off, to the eye"),
    Metric("delta_e_median", "median", ".2f", "lower", "the same of the middle pixel"),
    Metric("auc", "AuC", ".2%", "higher", "how many pixels come near their true color"),
    Metric(
        "auc_rebalanced", "AuC rare", ".2%", "higher", "the same, rare colors counting more",
        ratio("auc_weighted", "rarity"),
    ),
    Metric("channel", "channel", ".1%", "higher", "pixels whose larger one of a*, b* is right"),
    Metric("colorfulness", "CF", ".1f", "zero", "how colorful the pictures are, 0 is gray"),
    Metric(
        "colorfulness_relative", "CF off by", "+.1%", "zero", "against the true pictures",
        ratio("colorfulness_difference", "colorfulness_true"),
    ),
    Metric("colorfulness_error", "mean |dCF|", ".1f", "lower", "the same, picture by picture"),
    Metric(
        "colorfulness_gap", "|d mean CF|", ".1f", "lower", "the same, of the means",
        lambda means: np.abs(means["colorfulness_difference"]),
    ),
    Metric(
        "edge_error", "at edges", ".2f", "lower", "error of a*b* near edges: colors leak",
        ratio("edge_total", "edge_share"),
    ),
    Metric(
        "rest_error", "elsewhere", ".2f", "lower", "error of a*b* away from edges",
        ratio("rest_total", "rest_share"),
    ),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Truth:
    """A photograph in color, and what every comparison needs of it; made by `truth_of`."""

    name: str
    rgb: Pixels  # (H, W, 3)
    lab: Floats  # (H, W, 3)
    colorfulness: float
    near_edge: NDArray[np.bool_]  # (H, W)
    rarity: Floats  # (H, W), how much each pixel counts in the rebalanced AuC
    similarity: similarity.Reference

    @property
    def light(self) -> Floats:
        return np.ascontiguousarray(self.lab[..., 0])

    @property
    def ab(self) -> Floats:
        return self.lab[..., 1:]


def truth_of(rgb: Pixels, name: str = "") -> Truth:
    """What `scores` needs of a photograph (H, W, 3) uint8: worth keeping for several answers.

    Too small a picture is a `DataError` that tells its `name`.
    """
    if why := too_small(rgb, name):
        raise DataError(why)
    lab = rgb_to_lab(rgb.astype(np.float32) / 255)
    return Truth(
        name=name,
        rgb=rgb,
        lab=lab,
        colorfulness=colorfulness(rgb.astype(np.float32) / 255),
        near_edge=near_edges(lab[..., 0]),
        rarity=prior.rarity()[nearest_bins(lab[..., 1:])],
        similarity=similarity.reference(rgb),
    )


def too_small(rgb: Pixels, name: str) -> str:
    """Why a picture (H, W, 3) cannot be measured; "" if it can."""
    (height, width), least = rgb.shape[:2], similarity.SMALLEST
    if min(height, width) >= least:
        return ""
    return (
        f"{name or 'a picture'}: {width} x {height} pixels are too few to be measured. "
        f"Leave out what is smaller than {least} x {least}."
    )


def paint(truth: Truth, ab: Floats) -> Pixels:
    """The picture (H, W, 3) with the L* of `truth` and the answered a*b*."""
    if ab.shape != truth.ab.shape:
        raise ValueError(f"ab must have shape {truth.ab.shape}, got {ab.shape}.")
    pixels = pixels_of_lab(truth.light, np.ascontiguousarray(ab, np.float32), np.uint8)
    return pixels.astype(np.uint8, copy=False)


def scores(truth: Truth, ab: Floats, pixels: Pixels | None = None) -> dict[str, float]:
    """What a*b* (H, W, 2) scored for `truth`; `pixels` is the picture, if it is painted already.

    Beside the scores by `METRICS`' names: what these are weighed by when they are averaged.

    >>> truth = truth_of(np.zeros((16, 16, 3), np.uint8) + np.uint8([200, 60, 60]))
    >>> round(scores(truth, np.zeros((16, 16, 2), np.float32))["delta_e"], 1)
    26.5
    """
    pixels = paint(truth, ab) if pixels is None else pixels
    rgb = pixels.astype(np.float32) / 255
    delta_e = _differences(truth.lab, rgb_to_lab(rgb))
    error = np.hypot(truth.ab[..., 0] - ab[..., 0], truth.ab[..., 1] - ab[..., 1])
    right = 1 - np.minimum(error, MOST_ERROR) / MOST_ERROR  # area above the pixel's own threshold
    same = (truth.ab[..., 1] > truth.ab[..., 0]) == (ab[..., 1] > ab[..., 0])
    found = {
        "psnr": min(similarity.psnr(truth.rgb, pixels), MOST_PSNR),
        "ssim": similarity.ssim(truth.similarity, pixels),
        "delta_e": _mean(delta_e),
        "delta_e_median": float(np.median(delta_e)),
        "auc": _mean(right),
        "auc_rebalanced": _mean(right * truth.rarity) / _mean(truth.rarity),
        "channel": _mean(same),
        "colorfulness": colorfulness(rgb),
        "colorfulness_true": truth.colorfulness,
        "edge_error": _mean(error[truth.near_edge]),
        "rest_error": _mean(error[~truth.near_edge]),
        "rarity": _mean(truth.rarity),  # mean weight of its pixels in `auc_rebalanced`
        "edge_share": _mean(truth.near_edge),
    }
    return found | _weighed(found)


def near_edges(light: Floats) -> NDArray[np.bool_]:
    """Where L* (H, W) changes by `STRONG_EDGE` a pixel or more, and up to `NEAR` pixels around."""
    down, right = np.gradient(light)
    near: NDArray[np.bool_] = np.hypot(down, right) >= STRONG_EDGE
    for axis in (0, 1):
        rows = np.moveaxis(near, axis, 0)
        spread = rows.copy()
        for step in range(1, NEAR + 1):
            spread[step:] |= rows[:-step]
            spread[:-step] |= rows[step:]
        near = np.moveaxis(spread, 0, axis)
    return near


def _weighed(found: Scores) -> dict[str, float]:
    """A picture's scores times its share in what is averaged."""
    near, far = found["edge_share"], 1 - found["edge_share"]
    return {
        "auc_weighted": found["auc_rebalanced"] * found["rarity"],
        "colorfulness_difference": (more := found["colorfulness"] - found["colorfulness_true"]),
        "colorfulness_error": abs(more),
        "edge_total": found["edge_error"] * near if near else 0.0,
        "rest_share": far,
        "rest_total": found["rest_error"] * far if far else 0.0,
    }


def _differences(one: Floats, other: Floats) -> Floats:
    """CIEDE2000 of two pictures, in parts that stay in the cache: a third faster."""
    parts = 1 + one.size // (3 * PART)
    pairs = zip(np.array_split(one, parts), np.array_split(other, parts), strict=True)
    return np.concatenate([delta_e_2000(*pair) for pair in pairs])


def _mean(values: NDArray[np.floating | np.bool_]) -> float:
    return float(np.mean(values, dtype=np.float64)) if values.size else float("nan")
