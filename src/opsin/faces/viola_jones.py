"""Viola-Jones: a cascade of boosted trees looks at every window; where many overlap is a face.

    photograph, gray, in tiles -> windows that pass the cascade (`opsin.faces.haar`)
                               -> groups of windows that lie nearly alike, a face each

Viola and Jones: Rapid Object Detection using a Boosted Cascade of Simple Features, CVPR 2001. A
face has as many windows as agree on it: with n of them its score is n / (n + 2). It has no
landmarks.

Where the package opencv is installed, its evaluator finds the same windows in less time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.errors import ModelError
from opsin.faces import haar
from opsin.faces.found import Found
from opsin.faces.parts import in_parts, looks_at
from opsin.faces.stages import prepared
from opsin.models.card import Card, FaceTable, Input, Output
from opsin.models.cascade import Cascade, parse, write

Gray: TypeAlias = NDArray[np.uint8]
Windows: TypeAlias = Callable[[Gray, float, float, int], NDArray[np.intp]]
"""Of a gray picture, the step between sizes, the least side and the number of threads: the boxes
(N, 4) that pass."""

HALF: Final = 2  # windows whose face has a score of one half
ALIKE: Final = 0.2  # of the smaller one's sides: two windows with sides so near are of one face
SURE: Final = 3  # windows of a face that a weaker one inside of it is a part of
TILE: Final = 1024  # pixels of the longer side that is looked at at once
GROWTH: Final = 1.25  # from one size of windows to the next
GOOD: Final = 0.75  # six windows: 96 % of upright faces have that, and 0.3 % of turned ones
FAIR: Final = 0.75
MOST: Final = 20_000  # windows: a cascade that lets more pass tells faces from nothing


def search_by(data: bytes, card: Card, table: FaceTable, *, threads: int) -> Callable[..., Found]:
    """The search of the cascade in an XML file's bytes; a `ModelError` if it is none.

    Of pixels (H, W, 1 or 3), the least side of a box and the least score: all faces, the best
    first.
    """
    cascade = parse(data, card.file)
    windows = by_opencv(cascade) or by_numpy(cascade)
    step, side = table.largest / table.smallest, min(cascade.width, cascade.height)

    def find(pixels: Any, min_size: float, threshold: float) -> Found:
        looks = list(looks_at(pixels.shape[0], pixels.shape[1], min_size, card.size, seen=side))
        least = min_size * looks[0]

        def look(part: NDArray[np.uint8], scale: float) -> Found:
            passed = windows(luma(part), step, least, threads)
            if len(passed) > MOST:
                raise ModelError(
                    f"cascade '{card.name}' takes {len(passed):,} windows of a part of this "
                    "photograph for faces, as no sound one does. Use another."
                )
            return grouped(passed, threshold)

        overlap = table.overlap
        return in_parts(pixels, look, looks, size=card.size, overlap=overlap, min_size=min_size)

    return find


def card_of(cascade: Cascade, *, name: str, sha256: str, license: str, training_data: str) -> Card:
    """The card of a cascade that lies beside it as NAME.xml."""
    side = min(cascade.width, cascade.height)
    return Card(
        name=name,
        version="1",
        task="faces",
        network="cascade",
        file=f"{name}.xml",
        sha256=sha256,
        license=license,
        paper="https://doi.org/10.1109/CVPR.2001.990517",
        training_data=training_data,
        size=TILE,
        inputs=(Input(name="picture", shape=(1, 1, "H", "W"), unit="luma of sRGB, 0 to 255"),),
        outputs=(Output(name="windows", shape=("N", 4)),),
        faces=FaceTable(
            threshold=0.6,
            overlap=0.3,
            smallest=float(side),
            largest=side * GROWTH,
            good=GOOD,
            fair=FAIR,
        ),
    )


def luma(pixels: NDArray[np.uint8]) -> Gray:
    """(H, W): how light sRGB pixels (H, W, 1 or 3) are, as television has it (BT.601).

    >>> luma(np.array([[[255, 255, 255], [0, 255, 0]]], np.uint8)).tolist()
    [[255, 150]]
    """
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    return ((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16).astype(np.uint8)


def by_numpy(cascade: Cascade) -> Windows:
    """opsin's own evaluator."""
    made = prepared(cascade)

    def windows(gray: Gray, step: float, least: float, threads: int) -> NDArray[np.intp]:
        return haar.windows(gray, made, step=step, min_size=least, threads=threads)

    return windows


def by_opencv(cascade: Cascade) -> Windows | None:
    """OpenCV's evaluator of the same cascade; None if it is not there, or has none any more."""
    try:
        import cv2

        storage = cv2.FileStorage(
            write(cascade).decode(), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
        )
        classifier = cv2.CascadeClassifier()
        if not classifier.read(storage.getFirstTopLevelNode()):
            return None
    except (ImportError, AttributeError):  # OpenCV 5 has moved it
        return None
    turn = threading.Lock()  # a classifier keeps its picture

    def windows(gray: Gray, step: float, least: float, threads: int) -> NDArray[np.intp]:
        size = int(np.ceil(least))
        with turn:
            found = classifier.detectMultiScale(gray, step, 0, 0, (size, size))
        boxes = np.asarray(found, np.intp).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    return windows


def grouped(windows: NDArray[np.intp], threshold: float) -> Found:
    """A face for each group of windows (N, 4) that lie nearly alike: their mean, if its score is
    `threshold` or more, and if it is no part of a surer one."""
    windows = windows[np.lexsort(windows.T)]  # which came first must not matter
    numbers = components(windows.astype(np.float64))
    counts = np.bincount(numbers)
    sums = np.stack([np.bincount(numbers, windows[:, side]) for side in range(4)], axis=1)
    scores = counts / (counts + HALF)
    kept = scores >= threshold
    boxes, counts = (sums / np.maximum(counts, 1)[:, None])[kept], counts[kept]
    whole = ~parts(boxes, counts)
    return Found(
        boxes[whole].astype(np.float32),
        scores[kept][whole].astype(np.float32),
        np.zeros((int(whole.sum()), 0, 2), np.float32),
    )


def components(windows: NDArray[np.float64]) -> NDArray[np.intp]:
    """(N,): to which group each window belongs, from 0 on. Two belong together if all their sides
    lie nearly alike, or if others join them.

    >>> components(np.array([[0, 0, 20, 20], [1, 1, 21, 21], [50, 0, 70, 20.0]])).tolist()
    [0, 0, 1]
    """
    sizes = windows[:, 2:] - windows[:, :2]
    numbers = np.full(len(windows), -1, np.intp)
    for seed in range(len(windows)):
        if numbers[seed] >= 0:
            continue
        number, edge = numbers.max(initial=-1) + 1, [seed]
        numbers[seed] = number
        while edge:
            one = edge.pop()
            near = ALIKE * np.minimum(sizes, sizes[one]).sum(axis=1) / 2
            alike = np.abs(windows - windows[one]).max(axis=1) <= near
            new = np.flatnonzero(alike & (numbers < 0))
            numbers[new] = number
            edge.extend(new)
    return numbers


def parts(boxes: NDArray[np.float64], counts: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(N,): which boxes lie inside of another's that more windows agree on."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    outer = boxes + ALIKE * sides * [-1, -1, 1, 1]
    found = np.zeros(len(boxes), bool)
    for one, (box, count) in enumerate(zip(boxes, counts, strict=True)):
        inside = (box[:2] >= outer[:, :2]).all(axis=1) & (box[2:] <= outer[:, 2:]).all(axis=1)
        inside[one] = False
        found[one] = (inside & ((counts > max(SURE, count)) | (count < SURE))).any()
    return found
