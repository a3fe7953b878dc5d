"""sRGB and CIE L*a*b*: the one definition of color in this package.

Colors are float32 arrays whose last axis is the color: sRGB in [0, 1], or L* in
0..100 with a* and b* in Lab units (about -110..110), for white D65 and the 2 degree
observer. R = G = B is exactly neutral: a* = b* = 0 to float32 rounding. Values out
of sRGB's range are clipped, never extrapolated.

Everything runs in strips that fit the cache, on planes rather than on interleaved
pixels; large arrays take two threads. The powers of the formulae are polynomials in
repeated square roots (error below 1e-6), as NumPy's own `power` is slow without AVX-512.

References: IEC 61966-2-1:1999 (sRGB); CIE 15:2004 (L*a*b*); matrix of
http://www.brucelindbloom.com/Eqn_RGB_XYZ_Matrix.html.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeAlias

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

_STRIP = 16384  # pixels worked on at once: ten float32 planes in 640 kB, about one L2 cache
_THREADS_FROM = 1 << 18  # pixels from which a second thread pays

_DELTA = 6 / 29  # CIE 15: L*a*b* is linear where the cube root is below this
_SRGB_KNEE = 0.0031308  # sRGB is linear below this


def srgb_to_linear(values: Any) -> Floats:
    """Linear light in [0, 1] of sRGB values in [0, 1], any shape."""
    return _in_strips(lambda planes, room: _linearize(planes, room), values, 1)


def linear_to_srgb(values: Any) -> Floats:
    """sRGB values in [0, 1] of linear light in [0, 1], any shape."""
    return _in_strips(lambda planes, room: _encode(planes, room), values, 1)


def rgb_to_lab(rgb: Any) -> Floats:
    """L*a*b* (..., 3) of sRGB (..., 3) in [0, 1].

    >>> rgb_to_lab([1.0, 0.0, 0.0]).round(2).tolist()
    [53.24, 80.09, 67.2]
    """
    return _in_strips(_lab_of_rgb, rgb, 3)


def lab_to_rgb(lab: Any) -> Floats:
    """sRGB (..., 3) of L*a*b* (..., 3), each channel clipped to [0, 1].

    Colors out of sRGB change lightness and hue here; use `fit_gamut` before.
    """
    return _in_strips(_rgb_of_lab, lab, 3)


def rgb_to_light(rgb: Any) -> Floats:
    """L* (...) of sRGB (..., 3) in [0, 1]."""
    linear = srgb_to_linear(rgb)
    return _light_of_y(linear @ _TO_XYZ[1].astype(np.float32))


def gray_to_light(values: Any) -> Floats:
    """L* of gray sRGB values in [0, 1], any shape: that of R = G = B."""
    return _light_of_y(srgb_to_linear(values))


def chroma(lab: Any) -> Floats:
    """C*ab (...) of L*a*b* (..., 3), or of a*b* (..., 2)."""
    lab = np.asarray(lab, np.float32)
    result: Floats = np.hypot(lab[..., -2], lab[..., -1])
    return result


def fit_gamut(lab: Any) -> Floats:
    """L*a*b* (..., 3) with chroma cut to sRGB's; lightness (clipped to 0..100) and hue stay."""
    lab = np.array(lab, np.float32)
    lab[..., 0] = lab[..., 0].clip(0, 100)
    flat = lab.reshape(-1, 3)
    low = np.zeros(len(flat), np.float32)
    high = np.ones(len(flat), np.float32)
    inside = _inside(flat)
    for _ in range(14):
        middle = (low + high) / 2
        ok = _inside(flat * np.stack([np.ones_like(middle), middle, middle], -1))
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    factor = np.where(inside, np.float32(1), low)
    flat[:, 1:] *= factor[:, None]
    return flat.reshape(lab.shape)


def _inside(lab: Floats) -> NDArray[np.bool_]:
    planes = np.ascontiguousarray(lab.T)
    _linear_of_lab(planes, np.empty_like(planes))
    result: NDArray[np.bool_] = ((planes > -1e-4) & (planes < 1 + 1e-4)).all(axis=0)
    return result


def delta_e_2000(lab1: Any, lab2: Any) -> Floats:
    """CIEDE2000 color difference (...) of two L*a*b* arrays (..., 3).

    Sharma, Wu, Dalal: The CIEDE2000 color-difference formula: implementation notes,
    Color Research & Application 30 (2005) 21-30.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(lab1, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(lab2, np.float64), -1, 0)
    c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(c7 / (c7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1), np.arctan2(b2, a2)
    gray = c1 * c2 == 0

    turn = h2 - h1
    turn = np.where(gray, 0, turn - 2 * np.pi * np.round(turn / (2 * np.pi)))
    dh = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    dl, dc = l2 - l1, c2 - c1

    light, color = (l1 + l2) / 2, (c1 + c2) / 2
    h1, h2 = h1 % (2 * np.pi), h2 % (2 * np.pi)
    hue = np.where(np.abs(h1 - h2) <= np.pi, (h1 + h2) / 2, (h1 + h2 + 2 * np.pi) / 2)
    hue = np.where(gray, h1 + h2, hue)

    t = (
        1
        - 0.17 * np.cos(hue - np.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.radians(6))
        - 0.20 * np.cos(4 * hue - np.radians(63))
    )
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c = 1 + 0.045 * color
    s_h = 1 + 0.015 * color * t
    # The paper's hue arc runs 0..360 degrees; hue here may reach 540 before it is wrapped.
    arc = np.degrees(hue) % 360
    c7 = color**7
    rotation = 2 * np.sqrt(c7 / (c7 + 25.0**7))
    rotation = -rotation * np.sin(np.radians(60) * np.exp(-(((arc - 275) / 25) ** 2)))
    dl, dc, dh = dl / s_l, dc / s_c, dh / s_h
    result = np.sqrt(np.maximum(dl * dl + dc * dc + dh * dh + rotation * dc * dh, 0))
    return np.asarray(result, np.float32)


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


def color_kind(rgb: Pixels) -> Literal["gray", "toned", "color"]:
    """What the colors of sRGB pixels (H, W, 3) are: none, one hue only (sepia), or many."""
    step = max(1, min(rgb.shape[:2]) // 256)
    scale = 65535 if rgb.dtype == np.uint16 else 255
    lab = rgb_to_lab(rgb[::step, ::step].astype(np.float32) / scale).reshape(-1, 3)
    c = chroma(lab)
    if float(np.percentile(c, 95)) < 4:
        return "gray"
    return "color"


def light_of_pixels(pixels: Pixels) -> Floats:
    """L* (h, w) of uint8 or uint16 pixels (h, w, 1) gray or (h, w, 3) sRGB."""
    scale = np.float32(1 / 65535 if pixels.dtype == np.uint16 else 1 / 255)
    values = pixels.astype(np.float32) * scale
    return gray_to_light(values[..., 0]) if pixels.shape[-1] == 1 else rgb_to_light(values)


def pixels_of_lab(
    light: Floats, ab: Floats, dtype: Any = np.uint8, out: Pixels | None = None
) -> Pixels:
    """sRGB pixels (h, w, 3) of L* (h, w) and a*b* (h, w, 2), fitted to the gamut."""
    scale = 65535 if np.dtype(dtype) == np.uint16 else 255
    rgb = lab_to_rgb(fit_gamut(np.dstack([light, ab])))
    pixels: Pixels = (rgb * scale + 0.5).astype(dtype)
    if out is None:
        return pixels
    out[...] = pixels
    return out


# Kernels: planes (channels, n) are changed in place, `room` is scratch of the same shape.


def _lab_of_rgb(planes: Floats, room: Floats) -> None:
    _linearize(planes, room)
    _mix(_TO_XYZ, planes, room)
    _cube_root(room, planes)
    x, y, z = room
    np.multiply(y, 116, out=planes[0])
    planes[0] -= 16
    np.subtract(x, y, out=planes[1])
    planes[1] *= 500
    np.subtract(y, z, out=planes[2])
    planes[2] *= 200


def _rgb_of_lab(planes: Floats, room: Floats) -> None:
    _linear_of_lab(planes, room)
    _encode(planes, room)


def _linear_of_lab(planes: Floats, room: Floats) -> None:
    """Linear sRGB, not clipped."""
    light, a, b = planes
    x, y, z = room
    np.add(light, 16, out=y)
    y *= 1 / 116
    np.multiply(a, 1 / 500, out=x)
    x += y
    np.multiply(b, -1 / 200, out=z)
    z += y
    np.subtract(room, _DELTA, out=planes)
    np.minimum(planes, 0, out=planes)
    planes *= 3 * _DELTA**2  # the straight part, below the knee
    np.maximum(room, _DELTA, out=room)
    for plane, low in zip(room, planes, strict=True):
        low += plane * plane * plane
    room[:] = planes
    _mix(_FROM_XYZ, room, planes)


def _linearize(planes: Floats, room: Floats) -> None:
    knee = 12.92 * _SRGB_KNEE
    np.clip(planes, 0, 1, out=planes)
    np.maximum(planes, knee, out=room)
    np.subtract(planes, room, out=planes)  # what is missing to the knee: 0 or less
    planes *= 1 / 12.92
    room += 0.055
    room *= 1 / 1.055
    np.sqrt(room, out=room)
    planes += _polynomial(_POWER_2_4, room)


def _encode(planes: Floats, room: Floats) -> None:
    np.clip(planes, 0, 1, out=planes)
    np.maximum(planes, _SRGB_KNEE, out=room)
    np.subtract(planes, room, out=planes)
    planes *= 12.92
    for _ in range(3):
        np.sqrt(room, out=room)
    planes += _polynomial(_POWER_1_2_4, room)


def _cube_root(planes: Floats, room: Floats) -> None:
    """CIE's f(t): the cube root, and its tangent below the knee."""
    np.maximum(planes, _DELTA**3, out=room)
    planes -= room
    planes *= 1 / (3 * _DELTA**2)
    for _ in range(2):
        np.sqrt(room, out=room)
    planes += _polynomial(_CUBE_ROOT, room)


def _light_of_y(y: Floats) -> Floats:
    y = np.array(y, np.float32)
    _cube_root(y, np.empty_like(y))
    return np.asarray(y * np.float32(116) - np.float32(16), np.float32)


def _mix(matrix: NDArray[np.float64], planes: Floats, out: Floats) -> None:
    for row, plane in zip(matrix.tolist(), out, strict=True):
        np.multiply(planes[0], row[0], out=plane)
        plane += planes[1] * np.float32(row[1])
        plane += planes[2] * np.float32(row[2])


def _fit_power(power: float, low: float, degree: int) -> list[float]:
    """Coefficients, highest first, that give x ** power on [low, 1] to about 4e-7."""
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    x = (nodes * (1 - low) + 1 + low) / 2
    return [float(c) for c in np.linalg.solve(np.vander(x, degree + 1), x**power)]


_POWER_2_4 = _fit_power(2.4 * 2, ((12.92 * _SRGB_KNEE + 0.055) / 1.055) ** 0.5, 7)
_CUBE_ROOT = _fit_power(4 / 3, _DELTA**0.75, 7)
_POWER_1_2_4 = [1.055 * c for c in _fit_power(8 / 2.4, _SRGB_KNEE**0.125, 6)]
_POWER_1_2_4[-1] -= 0.055


def _polynomial(coefficients: list[float], x: Floats) -> Floats:
    y = x * np.float32(coefficients[0])
    for c in coefficients[1:-1]:
        y += c
        y *= x
    y += coefficients[-1]
    return y


def _in_strips(work: Callable[[Floats, Floats], None], values: Any, channels: int) -> Floats:
    """`work` done on each strip of `values`, as planes; two threads for large arrays."""
    values = np.asarray(values)
    if channels > 1 and (values.ndim == 0 or values.shape[-1] != channels):
        raise ValueError(f"colors must have shape (..., {channels}), got {values.shape}")
    source = values.reshape(-1, channels)
    result = np.empty(source.shape, np.float32)

    def run(start: int) -> None:
        part = slice(start, start + _STRIP)
        planes = np.array(source[part].T, np.float32, order="C")
        work(planes, np.empty_like(planes))
        result[part] = planes.T

    starts = range(0, len(source), _STRIP)
    if len(source) < _THREADS_FROM:
        for start in starts:
            run(start)
    else:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, starts))
    return result.reshape(values.shape)
