"""How good a colorizer is, measured on photographs whose colors are known.

Each photograph is reduced to its L*; the colorizer answers with a*b*; the picture that is judged
has the true L* with the answered a*b*, fitted to the gamut and rounded to 8 bits, as a user would
get it.

The figures, each averaged over pictures; `FIGURES` has them in order:

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import colorfulness, delta_e_2000
from opsin.color import pixels_of_lab, rgb_to_lab
from opsin.colorization import prior
from opsin.colorization.bins import nearest_bins
from opsin.evaluate import similarity
from opsin.evaluate.statistics import Doubles, Figure, bootstrap

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8]

MOST_PSNR = 60.0  # above what rounding to 8 bits leaves (58.9 dB); equal pictures have infinity
MOST_ERROR = 150.0  # Zhang et al. 2016: thresholds of the AuC
STRONG_EDGE = 10.0  # L* a pixel
NEAR = 3  # pixels
PART = 8192  # pixels


class Definition(NamedTuple):
    """How a figure is shown."""

    name: str
    label: str
    form: str
    better: str  # "higher", "lower" or "zero"
    meaning: str


FIGURES = (
    Definition("psnr", "PSNR dB", ".2f", "higher", "likeness to the true picture"),
    Definition("ssim", "SSIM", ".4f", "higher", "likeness of structure, 1 is the same"),
    Definition("delta_e", "CIEDE2000", ".2f", "lower", "how far colors are off, to the eye"),
    Definition("delta_e_median", "median", ".2f", "lower", "the same of the middle pixel"),
    Definition("auc", "AuC", ".2%", "higher", "how many pixels come near their true color"),
    Definition(
        "auc_rebalanced", "AuC rare", ".2%", "higher", "the same, rare colors counting more"
    ),
    Definition("channel", "channel", ".1%", "higher", "pixels whose larger one of a*, b* is right"),
    Definition("colorfulness", "CF", ".1f", "zero", "how colorful the pictures are, 0 is gray"),
    Definition("colorfulness_relative", "CF off by", "+.1%", "zero", "against the true pictures"),
    Definition("colorfulness_error", "mean |dCF|", ".1f", "lower", "the same, picture by picture"),
    Definition("colorfulness_gap", "|d mean CF|", ".1f", "lower", "the same, of the means"),
    Definition("edge_error", "at edges", ".2f", "lower", "error of a*b* near edges: colors leak"),
    Definition("rest_error", "elsewhere", ".2f", "lower", "error of a*b* away from edges"),
)


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


@dataclass(frozen=True)
class Scores:
    """The figures of one answer for one picture. `nan`: no such pixels."""

    psnr: float
    ssim: float
    delta_e: float
    delta_e_median: float
    auc: float
    auc_rebalanced: float
    channel: float
    colorfulness: float
    colorfulness_true: float
    edge_error: float
    rest_error: float
    rarity: float  # mean weight of the picture's pixels in `auc_rebalanced`
    edge_share: float  # share of pixels near strong edges


@dataclass(frozen=True)
class Row:
    """One system's figures over all pictures, and its scores for each."""

    system: str
    figures: Mapping[str, Figure]
    scores: tuple[Scores, ...]
    frechet: float | None = None  # only if a feature network was given
    judged: float | None = None  # share of pictures that a discriminator takes for true, if given


def score(rgb_true: Pixels, ab: Floats) -> Scores:
    """The figures of a*b* (H, W, 2), answered for the photograph `rgb_true` (H, W, 3) in 0..255.

    >>> rgb = np.zeros((16, 16, 3), np.uint8) + np.uint8([200, 60, 60])
    >>> round(score(rgb, np.zeros((16, 16, 2), np.float32)).delta_e, 1)
    26.5
    """
    return compare(truth_of(rgb_true), ab)


def truth_of(rgb: Pixels, name: str = "") -> Truth:
    """What `compare` needs of a photograph (H, W, 3) uint8: worth keeping for several answers."""
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


def compare(truth: Truth, ab: Floats) -> Scores:
    """The figures of a*b* (H, W, 2) answered for `truth`."""
    return scores_of(truth, ab, paint(truth, ab))


def paint(truth: Truth, ab: Floats) -> Pixels:
    """The picture (H, W, 3) with the L* of `truth` and the answered a*b*."""
    if ab.shape != truth.ab.shape:
        raise ValueError(f"ab must have shape {truth.ab.shape}, got {ab.shape}.")
    pixels = pixels_of_lab(truth.light, np.ascontiguousarray(ab, np.float32), np.uint8)
    return pixels.astype(np.uint8, copy=False)


def summarize(system: str, scores: Sequence[Scores]) -> Row:
    """The figures of `system` over all pictures, each with its bootstrap interval."""
    columns = [_columns(one) for one in scores]
    names = [figure.name for figure in FIGURES]

    def figures(means: Doubles) -> Doubles:
        found = _figures(dict(zip(columns[0], np.moveaxis(means, -1, 0), strict=True)))
        return np.stack([found[name] for name in names], axis=-1)

    found = bootstrap(np.array([list(one.values()) for one in columns]), figures)
    return Row(system, dict(zip(names, found, strict=True)), tuple(scores))


class Named(Protocol):
    """What is told of one system."""

    @property
    def system(self) -> str: ...


N = TypeVar("N", bound=Named)


def by_name(system: str, rows: Sequence[N]) -> N:
    """The one of that system; `KeyError` with those there are."""
    for row in rows:
        if row.system == system:
            return row
    raise KeyError(f"no system {system!r}. There are: {', '.join(row.system for row in rows)}")


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


def scores_of(truth: Truth, ab: Floats, pixels: Pixels) -> Scores:
    """As `compare`, for a picture that is painted already."""
    rgb = pixels.astype(np.float32) / 255
    delta_e = _differences(truth.lab, rgb_to_lab(rgb))
    error = np.hypot(truth.ab[..., 0] - ab[..., 0], truth.ab[..., 1] - ab[..., 1])
    right = 1 - np.minimum(error, MOST_ERROR) / MOST_ERROR  # area above the pixel's own threshold
    same = (truth.ab[..., 1] > truth.ab[..., 0]) == (ab[..., 1] > ab[..., 0])
    return Scores(
        psnr=min(similarity.psnr(truth.rgb, pixels), MOST_PSNR),
        ssim=similarity.ssim(truth.similarity, pixels),
        delta_e=_mean(delta_e),
        delta_e_median=float(np.median(delta_e)),
        auc=_mean(right),
        auc_rebalanced=_mean(right * truth.rarity) / _mean(truth.rarity),
        channel=_mean(same),
        colorfulness=colorfulness(rgb),
        colorfulness_true=truth.colorfulness,
        edge_error=_mean(error[truth.near_edge]),
        rest_error=_mean(error[~truth.near_edge]),
        rarity=_mean(truth.rarity),
        edge_share=_mean(truth.near_edge),
    )


def _differences(one: Floats, other: Floats) -> Floats:
    """CIEDE2000 of two pictures, in parts that stay in the cache: a third faster."""
    parts = 1 + one.size // (3 * PART)
    pairs = zip(np.array_split(one, parts), np.array_split(other, parts), strict=True)
    return np.concatenate([delta_e_2000(*pair) for pair in pairs])


def _columns(scores: Scores) -> dict[str, float]:
    """One picture's numbers whose means over pictures give all figures."""
    share = scores.edge_share
    return {
        "psnr": scores.psnr,
        "ssim": scores.ssim,
        "delta_e": scores.delta_e,
        "delta_e_median": scores.delta_e_median,
        "auc": scores.auc,
        "auc_weighted": scores.auc_rebalanced * scores.rarity,
        "rarity": scores.rarity,
        "channel": scores.channel,
        "colorfulness": scores.colorfulness,
        "colorfulness_true": scores.colorfulness_true,
        "colorfulness_error": abs(scores.colorfulness - scores.colorfulness_true),
        "edge_total": scores.edge_error * share if share else 0,
        "edge_share": share,
        "rest_total": scores.rest_error * (1 - share) if share < 1 else 0,
    }


def _figures(means: Mapping[str, Doubles]) -> dict[str, Doubles]:
    """All figures by name, of the means of `_columns`."""
    color, true, share = means["colorfulness"], means["colorfulness_true"], means["edge_share"]
    kept = ("psnr", "ssim", "delta_e", "delta_e_median", "auc", "channel", "colorfulness_error")
    with np.errstate(divide="ignore", invalid="ignore"):  # gray truth, no edges: not defined
        return {
            **{name: means[name] for name in kept},
            "auc_rebalanced": means["auc_weighted"] / means["rarity"],
            "colorfulness": color,
            "colorfulness_relative": np.where(true > 0, (color - true) / true, np.nan),
            "colorfulness_gap": np.abs(color - true),
            "edge_error": np.where(share > 0, means["edge_total"] / share, np.nan),
            "rest_error": np.where(share < 1, means["rest_total"] / (1 - share), np.nan),
        }


def _mean(values: NDArray[np.floating | np.bool_]) -> float:
    return float(np.mean(values, dtype=np.float64)) if values.size else float("nan")
