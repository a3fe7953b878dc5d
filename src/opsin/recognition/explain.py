"""Where a network looked: what of a photograph spoke for the names that it gives.

Of networks that also give the `map` whose means are the features, these are class activation maps
(Zhou et al. 2016, arXiv 1512.04150, section 2): the weights of a name on the map. Of all others, a
gray patch is moved over what they see, and where it makes the name less likely is what spoke for it
(Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2).

Letters: S side of the square that a network sees, D its features, n its labels, h, w of the map.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import numpy as np

from opsin.defaults import CLASSIFIER
from opsin.drawing.pixels import as_rgb, fitted, resized
from opsin.drawing.sheet import Cell, layout
from opsin.files import shown
from opsin.formats.metadata import Metadata
from opsin.formats.xmp import with_origin
from opsin.machine import cores
from opsin.models.card import Classify
from opsin.models.engine import MOST_THREADS, Engine, load_engine, session_of
from opsin.models.store import Model, find, members
from opsin.photo import Photo
from opsin.photo import open as open_photo
from opsin.recognition.features import OUTPUT
from opsin.recognition.pipeline import (
    Classes,
    Floats,
    Pixels,
    classify_pixels,
    picture_of,
    seen_part,
    softmax,
    table_of,
)

MAP: Final = "map"
CELL: Final = 480  # pixels of each picture
NAMES: Final = 3  # of the likeliest, where they are as likely as this
LIKELY: Final = 0.1
GRID: Final = 7  # places of the patch, across and down
PATCH: Final = 0.25  # its side, as a share of the square's
GRAY: Final = 0.5


def explain(
    photo: Any, *, model: str = CLASSIFIER, threads: int | None = None, device: str = "cpu"
) -> Photo:
    """A picture of `photo` and, beside it, where the network looked for what it calls it.

    `photo` is a `Photo` or anything that `opsin.open` takes, `model`, `threads` and `device` are
    those of `opsin.classify`. The likeliest name is explained, and the next two if each has 10 %
    or more. Bright is what spoke for the name below; what lies outside of the square that the
    network sees is dark. Each map goes from its least to its greatest: it says where, not how much.

    >>> import numpy as np
    >>> scan = np.linspace(0, 255, 64 * 48, dtype=np.uint8).reshape(48, 64)
    >>> explain(scan).is_gray
    False
    """
    photo = photo if isinstance(photo, Photo) else open_photo(photo)
    threads = threads or min(cores(), MOST_THREADS)
    engines = [load_engine(name, threads=threads, device=device) for name in members(model)]
    found = classify_pixels(as_rgb(photo.there.pixels), engines, threads=threads)
    return explained(photo, found, model=model, threads=threads, device=device)


def explained(
    photo: Photo, found: Classes, *, model: str, threads: int, device: str = "cpu"
) -> Photo:
    """The same of a photograph that is classified already."""
    rgb = as_rgb(photo.there.pixels)
    models = [find(name) for name in members(model)]
    engines = [load_engine(name, threads=threads, device=device) for name in members(model)]
    small = fitted(rgb, CELL)
    cells = [Cell(small, "")]
    for rank, (name, share) in enumerate(found.top(NAMES)):
        if rank and share < LIKELY:
            break
        label = found.labels.index(name)
        pairs = zip(models, engines, strict=True)
        heats = [_spread(rgb, one, engine, label, small) for one, engine in pairs]
        heat: Floats = np.mean(heats, axis=0, dtype=np.float32)
        pixels = np.asarray(small, np.float32) / np.float32(255)
        cells.append(Cell(lit(pixels, heat), f"{shown(name)} {share:.1%}"))
    metadata = Metadata(xmp=with_origin(None, photo.metadata.origin))
    return Photo(layout([cells], cell=CELL), metadata=metadata)


def class_map(engine: Engine, picture: Floats, weights: Floats) -> Floats:
    """(h, w) in 0..1: the class with these `weights` (D,) on the map of a picture (1, C, S, S)."""
    heat = np.tensordot(weights, engine.run({"picture": picture})[MAP][0], 1)
    return _from_0_to_1(heat)


def occlusion_map(engine: Engine, picture: Floats, label: int) -> Floats:
    """(GRID, GRID) in 0..1: how much less likely a label is where a gray patch lies."""
    side = picture.shape[-1]
    patch = max(1, round(PATCH * side))
    places = np.linspace(0, side - patch, GRID).round().astype(int)
    whole, less = _log_share(engine, picture, label), np.zeros((GRID, GRID), np.float32)
    for row, top in enumerate(places):
        for column, left in enumerate(places):
            covered = picture.copy()
            covered[..., top : top + patch, left : left + patch] = GRAY
            less[row, column] = max(0.0, whole - _log_share(engine, covered, label))
    return _from_0_to_1(less)


def lit(pixels: Floats, heat: Floats) -> Pixels:
    """sRGB pixels (H, W, 3) in 0..1 by a heat (H, W) in 0..1: dark where it is 0, and warm where it
    is 1; uint8."""
    heat = heat[..., None]
    drawn = pixels * (0.25 + 0.75 * heat) + np.array([0.25, 0.1, 0.0], np.float32) * heat
    return np.asarray((drawn.clip(0, 1) * 255 + 0.5), np.uint8)


def enlarged(heat: Floats, height: int, width: int) -> Floats:
    """A heat (h, w) at the size of a picture, smooth."""
    large = resized(heat[..., None].astype(np.float32), height, width, kernel="cubic")
    return np.asarray(large[..., 0].clip(0, 1), np.float32)


def last_layer(model: Model) -> Floats | None:
    """(n, D): what each label's number is of the features; None if that cannot be known.

    The part of the network after the features is run on each of them alone. It takes the package
    `onnx` to cut it off.
    """
    return _last_layer(str(model.path), model.card.sha256, model)


@functools.lru_cache(maxsize=8)
def _last_layer(path: str, digest: str, model: Model) -> Floats | None:
    try:
        import onnx
        from onnx import helper
    except ModuleNotFoundError:
        return None
    wide = next(int(one.shape[1]) for one in model.card.outputs if one.name == OUTPUT)
    logits, kind = model.card.outputs[0].name, onnx.TensorProto.FLOAT
    data = model.read()
    try:
        graph = onnx.load_from_string(data)
        nodes: list[Any] = []
        needed = {logits}
        for node in reversed(graph.graph.node):
            if needed & set(node.output) and OUTPUT not in node.output:
                nodes.insert(0, node)
                needed |= set(node.input)
        ports = [helper.make_tensor_value_info(name, kind, None) for name in (OUTPUT, logits)]
        weights = [one for one in graph.graph.initializer if one.name in needed]
        part = helper.make_graph(nodes, "last", ports[:1], ports[1:], weights)
        del graph.graph.node[:]
        graph.graph.CopyFrom(part)
        session = session_of(graph.SerializeToString(), model.path, threads=1, device="cpu")
        rows = np.concatenate([np.zeros((1, wide)), np.eye(wide)]).astype(np.float32)
        answers = session.run([logits], {OUTPUT: rows})[0]
    except Exception:  # another kind of network: protobuf, onnx and the runtime have errors each
        return None
    return np.asarray((answers[1:] - answers[:1]).T, np.float32)


def _spread(rgb: Pixels, model: Model, engine: Engine, label: int, small: Pixels) -> Floats:
    """The heat of a label over a small copy of the photograph, 0 outside of what is seen."""
    table: Classify = table_of(engine.card)
    picture = picture_of(rgb, engine.card)
    weights = last_layer(model) if MAP in engine.card.output_names() else None
    if weights is None:
        heat = occlusion_map(engine, picture, label)
    else:
        heat = class_map(engine, picture, weights[label])
    over = np.zeros(small.shape[:2], np.float32)
    height, width = small.shape[:2]
    rows, columns = seen_part(height, width, table)
    part = over[rows, columns]
    part[...] = enlarged(heat, part.shape[0], part.shape[1])
    return over


def _log_share(engine: Engine, picture: Floats, label: int) -> float:
    output = engine.card.outputs[0].name
    logits = engine.run({"picture": picture})[output][0] / table_of(engine.card).temperature
    return float(np.log(softmax(logits)[label] + 1e-12))


def _from_0_to_1(heat: Floats) -> Floats:
    """Nothing anywhere stays nothing."""
    return np.asarray((heat - heat.min()) / max(1e-6, float(np.ptp(heat))), np.float32)
