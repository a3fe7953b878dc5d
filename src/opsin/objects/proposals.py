"""Boxes in which there may be a thing, before anybody asks which.

R-CNN and Fast R-CNN look at them. There are two makers: `selective-search`, which is
`opsin.objects.selective_search`, and `opencv`, the same by OpenCV's contributed modules (the extra
`opencv`), which is faster, and other in detail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from opsin import boxes
from opsin.boxes import Floats
from opsin.drawing.pixels import as_rgb, fitted
from opsin.errors import needs_extra
from opsin.files import cache_folder, plain_text, write_atomically
from opsin.objects.selective_search import selective_search
from opsin.sets.sources import Picture

Maker: TypeAlias = Literal["selective-search", "opencv"]

SIDE: Final = 200
"""Pixels of the longer side of what is searched; a larger picture is made smaller."""
VERSION: Final = 1  # of what is kept; another one when the proposals are others
LEAST: Final = 8.0  # pixels of a proposal's sides there; smaller ones are of no use to a network
MOST: Final = 2000


def propose(
    pixels: Any, *, maker: Maker = "selective-search", most: int = MOST, side: int = SIDE
) -> Floats:
    """(N, 4): at most `most` boxes on pixels (H, W, 1 or 3) of 8 or 16 bits, the likeliest first.

    They are in pixels of the picture. `side` is the longer side of what is searched. The same
    picture has the same proposals, but for the order of OpenCV's, which is drawn anew each time. An
    unknown maker is a `ValueError`; `opencv` without its package is a `ExtraMissingError`.

    >>> picture = np.zeros((60, 80, 3), np.uint8)
    >>> picture[20:50, 10:40] = 200
    >>> [10, 20, 40, 50] in propose(picture).tolist()
    True
    """
    if maker not in MAKERS:
        raise ValueError(f"maker must be one of {', '.join(MAKERS)}, got {maker!r}.")
    small = as_rgb(fitted(pixels, side))
    if min(small.shape[:2]) < LEAST:
        return boxes.as_boxes([])
    found = MAKERS[maker](small)
    large = ((found[:, 2:] - found[:, :2]) >= LEAST).all(axis=1)
    height, width = pixels.shape[:2]
    return boxes.scale(found[large][:most], width / small.shape[1], height / small.shape[0])


def regions_of(pixels: Any, most: int) -> Floats:
    """(N, 4), at most `most`: where a network looks on pixels (H, W, 1 or 3); the first is all."""
    height, width = pixels.shape[:2]
    every = [boxes.as_boxes([[0, 0, width, height]]), propose(pixels, most=most)]
    return np.concatenate(every)[:most]


def kept_proposals(picture: Picture, pixels: Callable[[], Any]) -> Floats:
    """As `propose`, of a picture of a set; kept in the user's cache, for training asks often.

    `pixels` is called if nothing is kept. A picture that has changed is searched again.
    """
    key = plain_text("\n".join(map(str, (VERSION, SIDE, *picture))))
    path = cache_folder("proposals") / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.f32"
    try:
        return np.frombuffer(path.read_bytes(), np.float32).reshape(-1, 4)
    except (OSError, ValueError):
        found = propose(pixels())
    with suppress(OSError):  # a full or forbidden disk keeps none
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, found.tobytes())
    return found


def _by_opencv(rgb: NDArray[np.uint8]) -> Floats:
    """OpenCV's, in the way of the paper that it calls fast."""
    with needs_extra("proposals by OpenCV", "opencv"):
        from cv2 import ximgproc
    search = ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(rgb[..., ::-1]))
    search.switchToSelectiveSearchFast()
    found = boxes.as_boxes(search.process())
    found[:, 2:] += found[:, :2]
    return found


MAKERS: Final[dict[str, Callable[[NDArray[np.uint8]], Floats]]] = {
    "selective-search": selective_search,
    "opencv": _by_opencv,
}
assert MAKERS.keys() == set(get_args(Maker))
