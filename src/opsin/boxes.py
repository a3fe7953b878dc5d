"""Boxes around things in pictures: areas, overlap, the best of many, anchors, turning.

Boxes are (N, 4) float32: x1, y1, x2, y2 in pixels, with (0, 0) at the picture's upper left corner
and (width, height) at its lower right one. Points are (..., 2): x, y on the same scale. A box
whose second corner is not below and right of the first has no area.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

QUARTERS: Final = (0, 90, 180, 270)
"""Degrees that a picture may be turned by, clockwise."""

ORIENTATIONS: Final = {
    **{1: (False, 0), 2: (True, 0), 3: (False, 180), 4: (True, 180)},
    **{5: (True, 270), 6: (False, 90), 7: (True, 90), 8: (False, 270)},
}
"""EXIF's orientations: what makes a stored picture upright, mirrored first and then turned."""


def as_boxes(boxes: Any) -> Floats:
    """Anything like boxes as (N, 4) float32; another shape is a `ValueError`.

    >>> as_boxes([]).shape
    (0, 4)
    """
    found = np.asarray(boxes, np.float32)
    if found.size == 0:
        return np.zeros((0, 4), np.float32)
    if found.ndim != 2 or found.shape[1] != 4:
        hint = " For one box, pass boxes[None]." if found.shape == (4,) else ""
        raise ValueError(f"boxes must have shape (N, 4), got {found.shape}.{hint}")
    return found


def area(boxes: Any) -> Floats:
    """(N,) square pixels.

    >>> area([[0, 0, 2, 3], [5, 5, 4, 9]]).tolist()
    [6.0, 0.0]
    """
    sides = _sides(as_boxes(boxes))
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def iou(boxes: Any, others: Any) -> Floats:
    """(N, M): what each two share of what both cover together (Jaccard), from 0 to 1.

    >>> iou([[0, 0, 3, 2]], [[0, 0, 3, 2], [1, 0, 4, 2], [3, 2, 4, 4]]).tolist()
    [[1.0, 0.5, 0.0]]
    """
    boxes, others = as_boxes(boxes), as_boxes(others)
    first = np.maximum(boxes[:, None, :2], others[None, :, :2])
    last = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.maximum(last - first, 0)
    shared = sides[..., 0] * sides[..., 1]
    covered = area(boxes)[:, None] + area(others)[None] - shared
    found = np.divide(shared, covered, out=np.zeros_like(shared), where=covered > 0)
    return np.asarray(found, np.float32)


def nms(
    boxes: Any,
    scores: Any,
    *,
    most: float = 0.3,
    of: Literal["both", "smaller"] = "both",
    limit: int | None = None,
) -> NDArray[np.intp]:
    """Which boxes to keep, the best first: none of them shares more than `most` with a better one.

    Greedy non-maximum suppression. `scores` are (N,); of equal ones the earlier is the better. What
    two share is a part of what both cover together, or of the smaller one. `limit` is how many are
    kept at most.

    >>> nms([[0, 0, 9, 9], [0, 0, 9, 8], [20, 0, 29, 9]], [0.5, 0.9, 0.7]).tolist()
    [1, 2]
    >>> nms([[0, 0, 9, 9], [1, 1, 4, 4]], [0.9, 0.5], of="smaller").tolist()
    [0]
    """
    boxes, scores = as_boxes(boxes), np.asarray(scores, np.float32)
    if scores.shape != (len(boxes),):
        raise ValueError(f"{len(boxes)} boxes need as many scores, got shape {scores.shape}.")
    left = np.argsort(-scores, kind="stable")
    first, last, areas = boxes[:, :2], boxes[:, 2:], area(boxes)
    kept: list[int] = []
    # a row of overlaps at a time: a crowd's whole matrix would be large
    while left.size and (limit is None or len(kept) < limit):
        best, left = left[0], left[1:]
        kept.append(best)
        sides = np.minimum(last[best], last[left]) - np.maximum(first[best], first[left])
        shared = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
        if of == "smaller":
            whole = np.minimum(areas[best], areas[left])
        else:
            whole = areas[best] + areas[left] - shared
        left = left[shared <= most * whole]
    return np.array(kept, np.intp)


def nms_by_class(
    boxes: Any, scores: Any, labels: Any, *, most: float = 0.3, limit: int | None = None
) -> NDArray[np.intp]:
    """As `nms`, but boxes are compared with those of their own label alone; `labels` are (N,).

    >>> nms_by_class([[0, 0, 9, 9]] * 3, [0.5, 0.9, 0.7], [1, 1, 2]).tolist()
    [1, 2]
    """
    boxes, labels = as_boxes(boxes), np.asarray(labels)
    reach = boxes.max(initial=0) - boxes.min(initial=0) + 1  # so far each label's are moved
    moved = boxes + (labels * reach).astype(np.float32).reshape(-1, 1)
    return nms(moved, scores, most=most, limit=limit)


def soft_nms(
    boxes: Any, scores: Any, *, sigma: float = 0.5, least: float = 0.001
) -> tuple[NDArray[np.intp], Floats]:
    """Which boxes to keep, the best first, and their scores after each better one has lowered them.

    Soft non-maximum suppression (Bodla et al. 2017, equation 4): a box that shares `iou` with a
    better one is not dropped, its score is multiplied by exp(-iou**2 / sigma). Boxes whose score
    falls below `least` are left out.

    >>> kept, left = soft_nms([[0, 0, 9, 9], [0, 0, 9, 9], [20, 0, 29, 9]], [0.9, 0.8, 0.7])
    >>> kept.tolist(), left.astype(float).round(3).tolist()
    ([0, 2, 1], [0.9, 0.7, 0.108])
    """
    boxes, now = as_boxes(boxes), np.array(scores, np.float32)
    if now.shape != (len(boxes),):
        raise ValueError(f"{len(boxes)} boxes need as many scores, got shape {now.shape}.")
    kept: list[int] = []
    left = np.flatnonzero(now >= least)
    while left.size:
        best = int(left[np.argmax(now[left])])
        kept.append(best)
        left = left[left != best]
        now[left] *= np.exp(-(iou(boxes[[best]], boxes[left])[0] ** 2) / sigma)
        left = left[now[left] >= least]
    order = np.array(kept, np.intp)
    return order, now[order]


def encode(boxes: Any, anchors: Any) -> Floats:
    """(N, 4): what makes each anchor its box, as dx, dy, dw, dh.

    Girshick et al. 2014, appendix C: the way between the centers in units of the anchor's sides,
    and the logarithms of how much wider and higher the box is. All must have an area.

    >>> encode([[10, 0, 30, 10]], [[0, 0, 10, 10]]).astype(float).round(3).tolist()
    [[1.5, 0.0, 0.693, 0.0]]
    """
    boxes, anchors = as_boxes(boxes), as_boxes(anchors)
    sides, ours = _sides(boxes), _sides(anchors)
    centers = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2
    return np.asarray(np.hstack([centers / ours, np.log(sides / ours)]), np.float32)


def decode(deltas: Any, anchors: Any) -> Floats:
    """The opposite of `encode`: the boxes (N, 4) that anchors become.

    >>> decode([[1.5, 0, np.log(2), 0]], [[0, 0, 10, 10]]).astype(float).round(3).tolist()
    [[10.0, 0.0, 30.0, 10.0]]
    """
    deltas, anchors = as_boxes(deltas), as_boxes(anchors)
    ours = _sides(anchors)
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2 + deltas[:, :2] * ours
    half = ours * np.exp(deltas[:, 2:]) / 2
    return np.asarray(np.hstack([centers - half, centers + half]), np.float32)


def anchors(
    height: int,
    width: int,
    stride: float,
    sides: Sequence[float],
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> Floats:
    """(height * width * S * R, 4): boxes of S sizes and R shapes about each position of a map.

    Ren et al. 2015, section 3.1.1: of three sizes and three shapes nine a position. Positions come
    row by row, `stride` pixels apart; at each the sizes in turn, and of each size the shapes. A box
    of side s and ratio r, height to width, has the area s * s.

    >>> anchors(1, 2, 16, [8], [1]).tolist()
    [[4.0, 4.0, 12.0, 12.0], [20.0, 4.0, 28.0, 12.0]]
    >>> anchors(2, 3, 16, [32, 64, 128]).shape
    (54, 4)
    """
    rows, columns = np.mgrid[:height, :width]
    centers = (np.stack([columns.ravel(), rows.ravel()], axis=1)[:, None] + 0.5) * stride
    root = np.sqrt(np.asarray(ratios, np.float64))
    across = np.outer(sides, 1 / root).ravel()
    down = np.outer(sides, root).ravel()
    half = np.stack([across, down], axis=1)[None] / 2
    return (
        np.concatenate([centers - half, centers + half], axis=2).reshape(-1, 4).astype(np.float32)
    )


def clip(boxes: Any, height: float, width: float) -> Floats:
    """The part of each box that lies in a picture of that size; of those outside, nothing.

    >>> clip([[-5, 2, 8, 99]], 10, 6).tolist()
    [[0.0, 2.0, 6.0, 10.0]]
    """
    most = np.array([width, height, width, height], np.float32)
    return np.asarray(np.clip(as_boxes(boxes), 0, most), np.float32)


def scale(boxes: Any, x: float, y: float | None = None) -> Floats:
    """The boxes in a picture that is `x` times as wide and `y` times as high (`x` if not given).

    >>> scale([[1, 2, 3, 4]], 2).tolist(), scale([[1, 2, 3, 4]], 1, 10).tolist()
    ([[2.0, 4.0, 6.0, 8.0]], [[1.0, 20.0, 3.0, 40.0]])
    """
    y = x if y is None else y
    return np.asarray(as_boxes(boxes) * np.array([x, y, x, y], np.float32), np.float32)


def uncut(
    boxes: Any,
    shape: Sequence[int],
    rows: tuple[int, int],
    columns: tuple[int, int],
    edge: Any,
) -> NDArray[np.bool_]:
    """(N,): which boxes, of a part that was cut out of a picture, do not reach to the cut.

    `shape` is the picture's, height and width first; `rows` and `columns` are where the part
    begins and ends in it, and the boxes lie on it. `edge` is how near in x and y is too near. The
    picture's own border is no cut.

    >>> uncut([[1, 1, 4, 9], [1, 1, 4, 4]], (20, 5), (0, 10), (0, 5), (2, 2)).tolist()
    [False, True]
    """
    found = as_boxes(boxes)
    starts, ends = np.array([columns[0], rows[0]]), np.array([columns[1], rows[1]])
    low = np.where(starts > 0, starts + np.asarray(edge), -np.inf)
    high = np.where(ends < [shape[1], shape[0]], ends - np.asarray(edge), np.inf)
    inside = (found[:, :2] >= low) & (found[:, 2:] <= high)
    return np.asarray(inside.all(axis=1))


def turn(boxes: Any, degrees: int, height: float, width: float) -> Floats:
    """The boxes once their picture, of that size before, is turned clockwise by 90, 180 or 270.

    >>> turn([[0, 0, 2, 1]], 90, height=10, width=20).tolist()
    [[9.0, 0.0, 10.0, 2.0]]
    """
    corners = turn_points(as_boxes(boxes).reshape(-1, 2, 2), degrees, height, width)
    ordered = np.sort(corners, axis=1) if degrees % 360 else corners
    return np.asarray(ordered.reshape(-1, 4), np.float32)


def turn_points(points: Any, degrees: int, height: float, width: float) -> Floats:
    """Points (..., 2) once their picture, of that size before, is turned clockwise.

    >>> turn_points([[0.0, 0.0]], 90, height=10, width=20).tolist()
    [[10.0, 0.0]]
    """
    points = np.asarray(points, np.float32)
    x, y = points[..., 0], points[..., 1]
    turned = {
        0: (x, y),
        90: (height - y, x),
        180: (width - x, height - y),
        270: (y, width - x),
    }
    if degrees not in turned:
        raise ValueError(f"degrees must be one of {', '.join(map(str, QUARTERS))}, got {degrees}.")
    return np.stack(turned[degrees], axis=-1).astype(np.float32)


def upright(boxes: Any, orientation: int, height: float, width: float) -> Floats:
    """The boxes once their picture, stored with that size, is shown as EXIF's orientation says.

    >>> upright([[0, 0, 2, 1]], 6, height=10, width=20).tolist()
    [[9.0, 0.0, 10.0, 2.0]]
    >>> upright([[0, 0, 2, 1]], 2, height=10, width=20).tolist()
    [[18.0, 0.0, 20.0, 1.0]]
    """
    is_mirrored, degrees = _orientation(orientation)
    boxes = _mirrored(boxes, width) if is_mirrored else as_boxes(boxes)
    return turn(boxes, degrees, height, width)


def stored(boxes: Any, orientation: int, height: float, width: float) -> Floats:
    """The opposite of `upright`; the size is that of the stored picture here, too.

    >>> stored([[9, 0, 10, 2]], 6, height=10, width=20).tolist()
    [[0.0, 0.0, 2.0, 1.0]]
    """
    is_mirrored, degrees = _orientation(orientation)
    shown_hw = (width, height) if degrees in (90, 270) else (height, width)
    boxes = turn(boxes, -degrees % 360, *shown_hw)
    return _mirrored(boxes, width) if is_mirrored else boxes


def _orientation(number: int) -> tuple[bool, int]:
    """Whether a picture is mirrored left to right, and the degrees by which it is then turned."""
    if number not in ORIENTATIONS:
        raise ValueError(f"an orientation is a number from 1 to 8, got {number}.")
    return ORIENTATIONS[number]


def _mirrored(boxes: Any, width: float) -> Floats:
    """The boxes once their picture is mirrored left to right."""
    x1, y1, x2, y2 = as_boxes(boxes).T
    return np.stack([width - x2, y1, width - x1, y2], axis=-1).astype(np.float32)


def _sides(boxes: Floats) -> Floats:
    """(N, 2): widths and heights, none below 0."""
    return np.asarray(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), np.float32)
