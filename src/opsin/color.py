"""sRGB and CIE L*a*b*: the one definition of color in this package.

Colors are float32 arrays whose last axis is the color: sRGB in [0, 1], or L* in
0..100 with a* and b* in Lab units (about -110..110), for white D65 and the 2 degree
observer. R = G = B is exactly neutral: a* = b* = 0 to float32 rounding. Values out
of sRGB's range are clipped, never extrapolated.

The work goes in strips that fit the cache and on planes, not on interleaved pixels;
floats from a quarter of a million pixels take two threads. The powers in the formulae are
polynomials in repeated square roots (error below 1e-6): `np.power` is slow without AVX-512.

References: IEC 61966-2-1:1999 (sRGB); CIE 15:2004 (L*a*b*); matrix of
http://www.brucelindbloom.com/Eqn_RGB_XYZ_Matrix.html.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]

XYZ_OF_RGB = np.array(  # linear sRGB to XYZ, D65 (Lindbloom); the sums of the rows are white
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_TO_XYZ = XYZ_OF_RGB / XYZ_OF_RGB.sum(axis=1, keepdims=True)  # relative to white
_FROM_XYZ = np.linalg.inv(_TO_XYZ)

# Pixels at a time. 16384 would fit one L2 cache, but its short calls make threads wait for the GIL:
# 12 megapixels then take nearly twice as long on two cores.
_STRIP = 1 << 17
_THREADS_FROM = 1 << 18  # pixels from which a second thread pays

_DELTA = 6 / 29  # CIE 15: L*a*b* is linear where the cube root is below this
_KNEE = 0.0031308  # sRGB is linear below this, in linear light ...
_SRGB_KNEE = 12.92 * _KNEE  # ... and as an sRGB value

# Linear light this far out of [0, 1] is simply clipped: at most 0.1 in L*.
_BELOW, _ABOVE = -1e-4, 1 + 2e-3


def srgb_to_linear(values: Any) -> Floats:
    """Linear light in [0, 1] of sRGB values in [0, 1], any shape.

    >>> print(srgb_to_linear([0.0, 0.5, 1.0]).round(3))
    [0.    0.214 1.   ]
    """
    values = np.asarray(values)
    return in_strips(_linearize, values[..., None], 1)[..., 0]


def linear_to_srgb(values: Any) -> Floats:
    """sRGB values in [0, 1] of linear light in [0, 1], any shape.

    >>> print(linear_to_srgb([0.0, 0.2140411, 1.0]).round(3))
    [0.  0.5 1. ]
    """
    values = np.asarray(values)
    return in_strips(_encode, values[..., None], 1)[..., 0]


def rgb_to_lab(rgb: Any) -> Floats:
    """L*a*b* (..., 3) of sRGB (..., 3) in [0, 1].

    >>> print(rgb_to_lab([1.0, 0.0, 0.0]).round(2))
    [53.24 80.09 67.2 ]
    """
    return in_strips(_lab_of_rgb, rgb, 3)


def lab_to_rgb(lab: Any) -> Floats:
    """sRGB (..., 3) of L*a*b* (..., 3), each channel clipped to [0, 1].

    Colors out of sRGB change in lightness and hue here: see `fit_gamut`.

    >>> print(lab_to_rgb([53.24, 80.09, 67.2]).round(2))
    [1. 0. 0.]
    """
    return in_strips(_rgb_of_lab, lab, 3)


def rgb_to_light(rgb: Any) -> Floats:
    """L* (...) of sRGB (..., 3) in [0, 1].

    >>> round(float(rgb_to_light([1.0, 0.0, 0.0])), 2)
    53.24
    """
    return in_strips(_light_of_rgb, rgb, 3, 1)[..., 0]


def gray_to_light(values: Any) -> Floats:
    """L* of gray sRGB values in [0, 1], any shape: that of R = G = B.

    >>> print(gray_to_light([0.0, 0.5, 1.0]).round(2))
    [  0.    53.39 100.  ]
    """
    values = np.asarray(values)
    return in_strips(_light_of_gray, values[..., None], 1)[..., 0]


def fit_gamut(lab: Any) -> Floats:
    """L*a*b* (..., 3) with chroma cut to what sRGB has; L* (clipped to 0..100) and hue stay.

    Colors in sRGB stay as they are; any others move towards gray as far as the edge of
    sRGB, read from a table. L* re-measured from 8-bit sRGB is off by at most 0.3 for a*b* up
    to 200 either way; rounding alone makes 0.25 of it.

    >>> print(fit_gamut([50.0, 0.0, 150.0]).round(1))
    [50.  0. 56.]
    """
    return in_strips(_fit, lab, 3)


def light_of_pixels(pixels: Pixels) -> Floats:
    """L* (h, w) of uint8 or uint16 pixels (h, w, 1) gray or (h, w, 3) sRGB.

    >>> print(light_of_pixels(np.full((1, 1, 1), 128, np.uint8)).round(2))
    [[53.59]]
    """
    light, weights = _tables(np.iinfo(pixels.dtype).max)
    *shape, channels = pixels.shape
    source = pixels.reshape(-1, channels)
    result = np.empty(len(source), np.float32)
    scratch = np.empty((3, 1, min(_STRIP, len(source))), np.float32)
    for start in range(0, len(source), _STRIP):
        part, out = source[start : start + _STRIP], result[start : start + _STRIP]
        if channels == 1:
            np.take(light, part[:, 0], out=out, mode="clip")
            continue
        more = scratch[0, 0, : len(part)]
        np.take(weights[0], part[:, 0], out=out, mode="clip")
        for channel in (1, 2):
            np.take(weights[channel], part[:, channel], out=more, mode="clip")
            out += more
        _light_of_y(out[None], scratch[:, :, : len(part)])
    return result.reshape(shape)


def pixels_of_lab(
    light: Floats, ab: Floats, dtype: Any = np.uint8, out: Pixels | None = None
) -> Pixels:
    """sRGB pixels (h, w, 3) of L* (h, w) and a*b* (h, w, 2), fitted to the gamut.

    A gray value whose L* comes from `light_of_pixels` returns unchanged where ab is 0.

    >>> pixels_of_lab(np.full((1, 1), 53.24), np.full((1, 1, 2), (80.09, 67.2))).tolist()
    [[[255, 0, 0]]]
    """
    if out is None:
        out = np.empty((*light.shape, 3), dtype)
    if not out.flags.c_contiguous:
        raise ValueError("out must be C-contiguous: pass whole rows of an array.")
    top = np.iinfo(out.dtype).max
    lights, abs_ = light.reshape(-1), ab.reshape(-1, 2)
    result = out.reshape(-1, 3)
    buffer = np.empty((5, 3, min(_STRIP, len(lights))), np.float32)
    for start in range(0, len(lights), _STRIP):
        part = slice(start, start + _STRIP)
        scratch = buffer[:, :, : len(lights[part])]
        planes, linear = scratch[0], scratch[2]
        planes[0], planes[1], planes[2] = lights[part], abs_[part, 0], abs_[part, 1]
        outside, fitted = _fit_outliers(planes, scratch[1:])
        for plane, values in zip(linear, _linear_of_lab(fitted), strict=True):
            plane[outside] = values
        _encode(linear, scratch[3:])
        _round(linear, top, result[part])
    return out


def _round(planes: Floats, top: int, out: Pixels) -> None:
    planes *= top
    planes += 0.5
    for channel, plane in enumerate(planes):
        np.copyto(out[:, channel], plane, casting="unsafe")


@cache
def _tables(top: int) -> tuple[Floats, tuple[Floats, ...]]:
    """For each value 0..top: L* of that gray, and what each channel adds to Y."""
    values = np.arange(top + 1) / top
    linear = srgb_to_linear(values)
    return gray_to_light(values), tuple(linear * np.float32(w) for w in _TO_XYZ[1])


# Kernels. `planes` (channels, n) is changed in place, `scratch` (2 to 4, channels, n) overwritten.


def _lab_of_rgb(planes: Floats, scratch: Floats) -> None:
    xyz = scratch[0]
    _linearize(planes, scratch[1:])
    _mix(_TO_XYZ, planes, xyz, scratch[1, 0])
    _cube_root(xyz, scratch[1:])
    np.multiply(xyz[1], 116, out=planes[0])
    np.subtract(xyz[0], xyz[1], out=planes[1])
    planes[1] *= 500
    np.subtract(xyz[1], xyz[2], out=planes[2])
    planes[2] *= 200


def _rgb_of_lab(planes: Floats, scratch: Floats) -> None:
    _roots_of_lab(planes, scratch[0])
    _linear_of_roots(scratch[0], planes, scratch[1:])
    _encode(planes, scratch)


def _fit(planes: Floats, scratch: Floats) -> None:
    outside, fitted = _fit_outliers(planes, scratch)
    planes[:, outside] = fitted


def _fit_outliers(planes: Floats, scratch: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Where Lab planes leave sRGB, and what they should be there; scratch[1] is linear sRGB."""
    np.clip(planes[0], 0, 100, out=planes[0])
    roots, linear = scratch[:2]
    _roots_of_lab(planes, roots)
    _linear_of_roots(roots, linear, scratch[2:])
    outside = np.flatnonzero(_excess(linear) > 0)
    lab = planes.take(outside, axis=1)
    own = np.sqrt(lab[1] * lab[1] + lab[2] * lab[2])
    lab[1:] *= np.minimum(1, _chroma_limit(lab) / own)
    return outside, lab


def _chroma_limit(lab: Floats) -> Floats:
    """The chroma that sRGB has at the lightness and hue of Lab planes (3, n)."""
    table = _limits()
    lights, hues = table.shape
    x = lab[0] * np.float32((lights - 1) / 100)
    y = (np.arctan2(lab[2], lab[1]) + np.float32(np.pi)) * np.float32((hues - 1) / (2 * np.pi))
    row = np.minimum(x.astype(np.intp), lights - 2)
    column = np.minimum(y.astype(np.intp), hues - 2)
    x -= row
    y -= column
    corner = row * hues + column
    limits = table.reshape(-1)
    low, high = limits.take(corner), limits.take(corner + hues)
    low += y * (limits.take(corner + 1) - low)
    high += y * (limits.take(corner + hues + 1) - high)
    return np.asarray(low + x * (high - low), np.float32)


@cache
def _limits() -> Floats:
    """The chroma where sRGB ends, by L* (0..100) and hue (-180..180 degrees)."""
    grid = np.meshgrid(np.linspace(0, 100, 129), np.radians(np.linspace(-180, 180, 361)))
    light, hue = (axis.T.ravel() for axis in grid)
    a, b = np.cos(hue), np.sin(hue)
    limit, step = np.zeros(len(hue)), 80.0
    for _ in range(14):
        trial = limit + step
        inside = _excess(_linear_of_lab(np.stack([light, trial * a, trial * b]))) <= 0
        limit = np.where(inside, trial, limit)
        step /= 2
    return np.asarray(limit.reshape(129, 361), np.float32)


def _linear_of_lab(lab: NDArray[Any]) -> Floats:
    """Linear sRGB (3, n) of Lab planes (3, n), not clipped."""
    roots, linear, *scratch = np.empty((4, *lab.shape), np.float32)
    _roots_of_lab(np.asarray(lab, np.float32), roots)
    _linear_of_roots(roots, linear, np.stack(scratch))
    return np.asarray(linear)


def _excess(linear: Floats) -> Floats:
    """How far linear sRGB (3, n) is out of its range; negative inside."""
    high = np.maximum(np.maximum(linear[0], linear[1]), linear[2])
    low = np.minimum(np.minimum(linear[0], linear[1]), linear[2])
    return np.asarray(np.maximum(high - _ABOVE, _BELOW - low), np.float32)


def _roots_of_lab(lab: Floats, roots: Floats) -> None:
    """CIE's f(t) - f(0) of X, Y and Z."""
    x, y, z = roots
    np.multiply(lab[0], 1 / 116, out=y)
    np.multiply(lab[1], 1 / 500, out=x)
    x += y
    np.multiply(lab[2], -1 / 200, out=z)
    z += y


def _linear_of_roots(roots: Floats, linear: Floats, scratch: Floats) -> None:
    """Linear sRGB, not clipped; `roots` stay."""
    xyz, curve = scratch[:2]
    np.clip(roots, _DELTA - 4 / 29, np.inf, out=curve)
    np.subtract(roots, curve, out=xyz)
    xyz *= 3 * _DELTA**2  # the straight part, below the knee
    curve += 4 / 29
    np.multiply(curve, curve, out=linear)
    linear *= curve
    xyz += linear
    _mix(_FROM_XYZ, xyz, linear, curve[0])


def _linearize(planes: Floats, scratch: Floats) -> None:
    curve, sum_ = scratch[:2]
    np.clip(planes, _SRGB_KNEE, 1, out=curve)
    np.clip(planes, 0, _SRGB_KNEE, out=planes)
    planes *= 1 / 12.92
    curve += 0.055
    np.sqrt(curve, out=curve)
    _polynomial(_TO_LINEAR, curve, sum_)
    planes += sum_


def _encode(planes: Floats, scratch: Floats) -> None:
    curve, sum_ = scratch[:2]
    np.clip(planes, _KNEE, 1, out=curve)
    np.clip(planes, 0, _KNEE, out=planes)
    planes *= 12.92
    for _ in range(3):
        np.sqrt(curve, out=curve)
    _polynomial(_TO_SRGB, curve, sum_)
    planes += sum_


def _cube_root(planes: Floats, scratch: Floats) -> None:
    """CIE's f(t) - f(0): the cube root, and its tangent below the knee."""
    curve, sum_ = scratch[:2]
    np.clip(planes, _DELTA**3, 2, out=curve)
    np.clip(planes, 0, _DELTA**3, out=planes)
    planes *= 1 / (3 * _DELTA**2)
    for _ in range(2):
        np.sqrt(curve, out=curve)
    _polynomial(_CUBE_ROOT, curve, sum_)
    planes += sum_


def _light_of_y(planes: Floats, scratch: Floats) -> None:
    _cube_root(planes, scratch)
    planes *= 116


def _light_of_gray(planes: Floats, scratch: Floats) -> None:
    _linearize(planes, scratch)
    _light_of_y(planes, scratch)


def _light_of_rgb(planes: Floats, scratch: Floats) -> None:
    _linearize(planes, scratch)
    _mix(_TO_XYZ[1:2], planes, scratch[0, :1], scratch[1, 0])
    planes[:1] = scratch[0, :1]
    _light_of_y(planes[:1], scratch[:, :1])


def _mix(matrix: NDArray[np.float64], planes: Floats, out: Floats, scratch: Floats) -> None:
    """The matrix product: BLAS is slower on three rows, and would start threads."""
    for row, plane in zip(matrix.tolist(), out, strict=True):
        np.multiply(planes[0], row[0], out=plane)
        for factor, other in zip(row[1:], planes[1:], strict=True):
            np.multiply(other, factor, out=scratch)
            plane += scratch


def _polynomial(coefficients: list[float], x: Floats, out: Floats) -> None:
    np.multiply(x, coefficients[0], out=out)
    for c in coefficients[1:-1]:
        out += c
        out *= x
    out += coefficients[-1]


def _power(exponent: float, low: float, high: float, degree: int, factor: float) -> list[float]:
    """Coefficients, highest first, for factor * (x**exponent - low**exponent) on [low, high].

    Good to 4e-7. At `low`, where a straight part takes over, the polynomial gives exactly 0.
    """
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    x = (nodes * (high - low) + high + low) / 2
    coefficients = np.linalg.solve(np.vander(x, degree + 1), x**exponent) * factor
    result = [*coefficients[:-1].tolist(), 0.0]
    knee = np.full((1,), low, np.float32)
    value = np.empty_like(knee)
    _polynomial(result, knee, value)
    return [*result[:-1], -float(value[0])]


# Each of a repeated square root: 2.4 = 4.8 / 2, 1 / 3 = (4 / 3) / 4, 1 / 2.4 = (8 / 2.4) / 8.
_TO_LINEAR = _power(4.8, (_SRGB_KNEE + 0.055) ** 0.5, 1.055**0.5, 7, 1.055**-2.4)
_TO_SRGB = _power(8 / 2.4, _KNEE**0.125, 1, 6, 1.055)
_CUBE_ROOT = _power(4 / 3, _DELTA**0.75, 1, 7, 1)


def in_strips(
    work: Callable[[Floats, Floats], None], values: Any, channels: int, kept: int | None = None
) -> Floats:
    """The first `kept` planes (all) after `work` on each strip of `values` (..., channels)."""
    values = np.asarray(values)
    if values.ndim == 0 or values.shape[-1] != channels:
        raise ValueError(f"colors must have shape (..., {channels}), got {values.shape}")
    kept = kept or channels
    source = values.reshape(-1, channels)
    result = np.empty((len(source), kept), np.float32)

    def run(starts: range) -> None:
        scratch = np.empty((5, channels, min(_STRIP, len(source))), np.float32)
        for start in starts:
            part = source[start : start + _STRIP]
            planes = scratch[0, :, : len(part)]
            for channel in range(channels):
                planes[channel] = part[:, channel]
            work(planes, scratch[1:, :, : len(part)])
            for channel in range(kept):
                result[start : start + _STRIP, channel] = planes[channel]

    if len(source) < _THREADS_FROM:
        run(range(0, len(source), _STRIP))
    else:
        with ThreadPoolExecutor(2) as pool:
            halves = [range(k * _STRIP, len(source), 2 * _STRIP) for k in range(2)]
            list(pool.map(run, halves))
    return result.reshape(*values.shape[:-1], kept)
