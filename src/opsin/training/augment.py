"""Making color photographs look like old black-and-white ones.

`film_gray` says how bright each color looked to the film, `wear` what a century and a scanner did
to the print. Both change only what the network sees; its target stays clean. Grays are (H, W)
float32 in [0, 1], sRGB-encoded.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from opsin.color import linear_to_srgb, srgb_to_linear
from opsin.formats.vips import vips

Float = NDArray[np.float32]

LUMINANCE: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear sRGB (BT.709)


def film_gray(rgb: Float, rng: np.random.Generator) -> Float:
    """The picture as a film with random sensitivities saw it.

    Plates before about 1880 saw blue alone, orthochromatic film (to about 1930) blue and green but
    no red, panchromatic film all three: skin, lips and bricks come out darker, skies lighter.
    """
    film = rng.random()
    if film < 0.25:  # blue-sensitive to orthochromatic
        weights = np.array([rng.uniform(0, 0.12), rng.uniform(0, 0.7), rng.uniform(0.3, 1)])
    elif film < 0.6:  # orthochromatic to panchromatic
        weights = rng.dirichlet((1.5, 2.5, 1.5))
    else:  # near luminance
        weights = LUMINANCE + rng.uniform(-0.07, 0.07, 3)
    weights = np.clip(weights, 0, None)
    linear = srgb_to_linear(rgb) @ (weights / weights.sum()).astype(np.float32)
    return linear_to_srgb(linear)


def luminance_gray(rgb: Float) -> Float:
    """The gray that keeps each color's luminance, and so its L*."""
    return linear_to_srgb(srgb_to_linear(rgb) @ LUMINANCE)


def wear(gray: Float, rng: np.random.Generator) -> Float:
    """The print aged and scanned: each kind of wear by chance, most of them mild."""
    worn = gray
    if rng.random() < 0.5:
        worn = worn ** np.float32(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.3:
        worn = _blur(worn, rng.uniform(0.3, 1.3))
    if rng.random() < 0.4:
        worn = _grain(worn, rng)
    if rng.random() < 0.3:
        worn = worn + _unevenness(worn.shape, rng)
    if rng.random() < 0.4:  # faded: blacks lifted, whites yellowed into gray
        low, high = rng.uniform(0, 0.25), rng.uniform(0.75, 1)
        worn = low + (high - low) * worn
    if rng.random() < 0.25:  # or printed hard
        middle = float(worn.mean())
        worn = middle + (worn - middle) * np.float32(rng.uniform(1, 1.5))
    worn = np.clip(worn, 0, 1).astype(np.float32)
    if rng.random() < 0.3:
        worn = _jpeg(worn, int(rng.integers(30, 90)))
    return worn


def _blur(gray: Float, sigma: float) -> Float:
    radius = max(1, round(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    taps /= taps.sum()
    for axis in (0, 1):
        padded = np.pad(gray, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], "edge")
        length = gray.shape[axis]
        shifted = (np.take(padded, range(i, i + length), axis) * t for i, t in enumerate(taps))
        gray = np.asarray(sum(shifted), np.float32)
    return gray


def _grain(gray: Float, rng: np.random.Generator) -> Float:
    """Noise, strongest in the midtones as silver grain is, of one pixel or coarser."""
    noise = rng.standard_normal(gray.shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = _blur(noise, rng.uniform(0.4, 1)) * np.float32(2)
    strength = rng.uniform(0.005, 0.05)
    return (gray + noise * strength * (0.3 + 4 * gray * (1 - gray)) / 1.3).astype(np.float32)


def _unevenness(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    """A slow drift of light, as stains, vignetting and bent paper make it."""
    coarse = rng.normal(0, rng.uniform(0.02, 0.1), (3, 3)).astype(np.float32)
    rows = np.linspace(0, 2, shape[0], dtype=np.float32)
    columns = np.linspace(0, 2, shape[1], dtype=np.float32)
    drift = _ramp(rows) @ coarse @ _ramp(columns).T
    return drift.astype(np.float32)


def _ramp(at: Float) -> Float:
    """Linear interpolation weights (N, 3) of positions in 0..2."""
    ramp = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(3)))
    weights: Float = ramp.astype(np.float32)
    return weights


def _jpeg(gray: Float, quality: int) -> Float:
    image = vips().Image.new_from_array((gray * 255).round().astype(np.uint8))
    packed = image.jpegsave_buffer(Q=quality)
    back: NDArray[np.uint8] = vips().Image.new_from_buffer(packed, "").numpy()
    return (back.reshape(gray.shape) / 255).astype(np.float32)
