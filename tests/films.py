"""Small films for tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_film(
    path: Path, frames: Sequence[np.ndarray], *, rate: int = 10, sound: bool = False
) -> Path:
    """A film of pictures (H, W, 3), with even sides, and of silence if there is `sound`."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=rate)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt, video.gop_size = "yuv420p", 5
        noise = out.add_stream("aac", rate=8000, layout="mono") if sound else None
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            out.mux(video.encode(frame))
        for index in range(len(frames) * 8000 // rate // 1024 if noise else 0):
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            wave.rate, wave.pts, wave.time_base = 8000, index * 1024, Fraction(1, 8000)
            out.mux(noise.encode(wave))
        out.mux(video.encode(None))
        if noise:
            out.mux(noise.encode(None))
    return path


def pictures_of(path: Path) -> list[np.ndarray]:
    """All pictures of a film."""
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
