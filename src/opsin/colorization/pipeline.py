"""How a photograph gets its colors: the one place that knows the order of the steps.

    Photo -> small pixels (antialiased, short side `size`, aspect kept) -> L* -> padded by
    reflection to the network's multiple -> network -> padding cut off -> a*b* of a small grid
    -> strips of rows at full resolution: own L*, edge-aware a*b*, gamut, pixels -> Photo

`run_model` gives each `NetworkOutput`, `colors_of` makes `Colors` of them, at one vividness or
another, and `predict` is both. `paint` and `confidence_map` do the rest. So several pictures can be
made of one run. A photograph keeps its own L*, whatever its depth: only color is added.

Where a model's name is taken, several with commas are an ensemble: each sees the photograph at
its own size, and a*b* are the mean of all (`ensemble`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opsin.appearance import tone_of
from opsin.color import light_of_pixels, pixels_of_lab
from opsin.colorization import upsample
from opsin.colorization.decode import (
    Vividness,
    before_emphasis,
    decode,
    emphasized,
    restrained,
    setting_of,
)
from opsin.colorization.ensemble import Grid, mean, table_of
from opsin.colorization.palette import Palette, shares_of
from opsin.colorization.points import Point, hint_map, settle, within
from opsin.colorization.reference import Lent, swatches_of, with_lent
from opsin.colorization.request import Request, plain_points
from opsin.colorization.sight import Region, Sight, colored
from opsin.colorization.words import Wish, wishes_of
from opsin.defaults import MATCHING, SIZES, STRENGTH, VIVIDNESS
from opsin.drawing.pixels import resized
from opsin.errors import ModelError
from opsin.machine import cores
from opsin.models.card import Card
from opsin.models.engine import Engine, load_engine
from opsin.models.store import members
from opsin.models.view import View
from opsin.photo import Photo, made_by_opsin
from opsin.photo import open as open_photo

Floats: TypeAlias = NDArray[np.float32]

MOST_THREADS = 4
STRIP_PIXELS = 1 << 18  # smaller ones let two threads fight for the interpreter
SURE = 0.48  # entropy at a point, the median of those in `benchmarks/points.py`
PLAIN = 0.5  # deviation of L*: an empty page, of which a network would guess a sky
LEAST_CHROMA = 0.5  # below this no eye sees a color

Kept: TypeAlias = dict[tuple[str, tuple[int, int]], dict[str, Any]]
"""What networks know of a photograph alone, by network and the size they saw; see `Engine.run`."""

NOTES = {
    "color": "was in color: its own colors were left aside",
    "toned": "was toned (sepia or the like): colorized from its lightness",
}


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """What one network gave, before a vividness makes colors of it."""

    raw: Floats  # (C, h, w), as its card's output
    light: Floats  # (H, W) L*, what it saw
    view: View
    tone: str  # what the photograph was: "gray", "toned" or "color"
    card: Card
    points: Floats | None = None  # (3, H, W) a*, b* and a mask: what colors were asked for
    lent: Lent | None = None  # by a reference
    regions: tuple[Region, ...] = ()  # where a color was asked for in words
    missing: tuple[Wish, ...] = ()  # what was, and is not on the photograph


@dataclass(frozen=True, eq=False)
class Colors:
    """The colors of a small grid (h, w), and what was seen (H, W).

    Of several networks it is their mean, on the finest of their grids, with what that one saw.
    """

    ab: Floats  # (h, w, 2) in Lab units
    light: Floats  # (H, W) L*
    view: View
    entropy: Floats | None  # (h, w) in [0, 1]; None: not all networks say
    tone: str  # as in `NetworkOutput`
    cards: tuple[Card, ...]
    request: Request | None = None  # what was asked for, if it was by `predict`
    missing: tuple[Wish, ...] = ()  # as in `NetworkOutput`


def colorize(
    photo: Any,
    *,
    model: str = "default",
    vividness: float = VIVIDNESS,
    size: int | None = None,
    points: Sequence[Point] = (),
    palette: Palette | None = None,
    strength: float = STRENGTH,
    reference: Any = None,
    matching: float = MATCHING,
    words: str = "",
    threads: int | None = None,
    device: str = "cpu",
) -> Photo:
    """`photo` in color, with the same size, depth, alpha and metadata.

    `photo` is a `Photo` or anything that `opsin.open` takes. `model` is a name; several with
    commas are an ensemble, the mean of their colors. `vividness` goes from 0, muted, to 1,
    saturated. `size` is the short side of the picture that the network sees; the default is the
    model's own. `points` are colors that you know: x and y in pixels of the photograph, and
    "#rrggbb" or (r, g, b) in 0..255. `palette` is how often each color is wanted: a photograph
    (anything that `opsin.open` takes) whose colors are taken, a list of colors, or its
    `palette.shares_of`; `strength`, from 0 to 1, is how much it counts. `reference` is a photograph
    (anything that `opsin.open` takes) or its `reference.swatches_of`: places that look like some of
    its places get their colors; `matching`, from 0 to 1, is how much. `words` are colors of
    things by their names, "red dress, blue sky", see `opsin.colorization.words`; what is not on the
    photograph is told in its `notes`.
    `threads` is how many cores one photograph may take. `device` is where the network is run:
    "cpu", "cuda", "coreml", "directml" or "openvino", see `opsin.models.engine.DEVICES`.

    >>> import numpy as np
    >>> scan = np.linspace(0, 255, 64 * 48, dtype=np.uint8).reshape(48, 64)
    >>> colorize(scan, vividness=0.7).pixels.shape
    (48, 64, 3)
    """
    photo = _as_photo(photo)
    colors = predict(
        photo,
        model=model,
        vividness=vividness,
        size=size,
        points=points,
        palette=palette,
        strength=strength,
        reference=reference,
        matching=matching,
        words=words,
        threads=threads,
        device=device,
    )
    return paint(photo, colors, threads=threads)


def confidence(
    photo: Any,
    *,
    model: str = "default",
    size: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> Floats:
    """How sure the model is of its color at each pixel, (height, width) in [0, 1]; 1 is sure.

    It is 1 minus the entropy of the distribution over colors, and no promise of truth.
    """
    photo = _as_photo(photo)
    colors = predict(photo, model=model, size=size, threads=threads, device=device)
    return confidence_of(photo, colors)


def predict(
    photo: Photo,
    *,
    model: str = "default",
    vividness: float = VIVIDNESS,
    size: int | None = None,
    points: Sequence[Point] = (),
    palette: Palette | None = None,
    strength: float = STRENGTH,
    reference: Any = None,
    matching: float = MATCHING,
    words: str = "",
    threads: int | None = None,
    device: str = "cpu",
) -> Colors:
    """The colors of a model for `photo`; see `colorize` for the options."""
    shares = None if palette is None else shares_of(palette)
    swatches = "" if reference is None else swatches_of(reference, threads=threads)
    outputs = run_model(
        photo,
        model=model,
        vividness=vividness,
        size=size,
        points=points,
        palette=shares,
        strength=strength,
        reference=swatches,
        matching=matching,
        words=words,
        threads=threads,
        device=device,
    )
    colors = colors_of(outputs, vividness)
    request = Request(
        model=",".join(card.name for card in colors.cards),
        vividness=vividness,
        size=size,
        points=plain_points(points),
        palette=() if shares is None else tuple(map(float, shares)),
        strength=strength if shares is not None else STRENGTH,
        reference=swatches,
        matching=matching if swatches else MATCHING,
        words=words,
        networks=tuple(card.sha256[:16] for card in colors.cards),
    )
    return replace(colors, request=request)


def run_model(
    photo: Photo,
    *,
    model: str = "default",
    vividness: float = VIVIDNESS,
    size: int | None = None,
    points: Sequence[Point] = (),
    palette: Palette | None = None,
    strength: float = STRENGTH,
    reference: Any = None,
    matching: float = MATCHING,
    words: str = "",
    threads: int | None = None,
    device: str = "cpu",
) -> tuple[NetworkOutput, ...]:
    """What each network of `model` gives for `photo`.

    `points` and `palette` go to those that take them, `reference` and `words` need no network that
    does.
    `vividness` is that at which the points are to have their colors; what it gives without points
    does not depend on it.
    """
    threads = threads or min(cores(), MOST_THREADS)
    engines = [load_engine(name, threads=threads, device=device) for name in members(model)]
    outputs = run_engines(
        engines,
        photo,
        vividness=vividness,
        size=size,
        points=points,
        palette=palette,
        strength=strength,
    )
    sight = Sight(photo, threads=threads, device=device)
    swatches = "" if reference is None else swatches_of(reference, threads=threads)
    return told(outputs, sight, reference=swatches, matching=matching, words=words)


def told(
    outputs: Sequence[NetworkOutput], sight: Sight, *, reference: str, matching: float, words: str
) -> tuple[NetworkOutput, ...]:
    """What networks gave, with what a reference's swatches lend to it and what is said of it in
    words; `sight` is of the same photograph."""
    if not 0 <= matching <= 1:
        raise ValueError(f"matching must be between 0 and 1, got {matching}.")
    borrowed = sight.lent(reference, matching) if reference and matching else None
    regions, missing = sight.regions(wishes_of(words)) if words else ((), ())
    return tuple(replace(one, lent=borrowed, regions=regions, missing=missing) for one in outputs)


def run_engines(
    engines: Sequence[Engine],
    photo: Photo,
    *,
    vividness: float = VIVIDNESS,
    size: int | None = None,
    points: Sequence[Point] = (),
    palette: Palette | None = None,
    strength: float = STRENGTH,
    shrunk: Callable[[int, int], Any] | None = None,
    kept: Kept | None = None,
) -> tuple[NetworkOutput, ...]:
    """As `run_model`, of networks that are loaded. Callers who ask again of the same photograph
    keep two things: `shrunk` gives the pixels of what is there of it with a height and width, and
    `kept`, empty at first, gets what the networks know of it before they are given anything else.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be between 0 and 1, got {strength}.")
    shares = None if palette is None else shares_of(palette)
    counts = shares is not None and strength > 0
    _refuse([engine.card for engine in engines], points=bool(points), palette=counts)
    points, photo = within(points, photo.metadata.there), photo.there
    shrunk = shrunk or shrinker(photo)
    outputs: list[NetworkOutput] = []
    for engine in engines:
        card, view = engine.card, _view(photo, engine.card, size)
        small = shrunk(*view.seen)
        light = light_of_pixels(small)
        feeds = {"light": view.pad(light)[None, None], **_thumbnail(small, card)}
        hints = hint_map(points, view) if points and "hints" in card.input_names() else None
        if hints is not None:
            feeds["hints"] = view.pad(_weaker(hints, card, vividness), "constant")[None]
        if shares is not None and "condition" in card.input_names():
            feeds["condition"] = shares[None] * np.float32(strength)
        known = None if kept is None else kept.setdefault((card.sha256, view.seen), {})
        raw = view.cut(engine.run(feeds, kept=known)[card.outputs[0].name][0])
        tone = outputs[0].tone if outputs else "gray" if photo.is_gray else tone_of(small)
        outputs.append(NetworkOutput(raw, light, view, tone, card, hints))
    return tuple(outputs)


def shrinker(photo: Photo) -> Callable[[int, int], Any]:
    """What is there of a photograph, with a height and width; each size is made once."""
    return cache(partial(resized, photo.there.pixels))


def colors_of(
    outputs: Sequence[NetworkOutput], vividness: float = VIVIDNESS, gain: float | None = None
) -> Colors:
    """The colors of what the networks gave, from 0, muted, to 1, saturated; of several their mean.

    `gain` is for studies: a*b* times it, in place of each model's own gain and contrast.
    """
    decoded = [_decoded(one, vividness, gain) for one in outputs]
    finest = max(decoded, key=lambda one: (one.view.cells, one.view.seen))

    def blend(grids: Sequence[Floats]) -> Floats:
        laid = [Grid(grid, one.view.cells) for grid, one in zip(grids, decoded, strict=True)]
        return mean(laid, Grid(finest.ab, finest.view.cells))

    entropies = [one.entropy for one in decoded if one.entropy is not None]
    return replace(
        finest,
        ab=blend([one.ab for one in decoded]),
        entropy=blend(entropies) if len(entropies) == len(decoded) else None,
        cards=tuple(one.card for one in outputs),
    )


def paint(photo: Photo, colors: Colors, *, threads: int | None = None) -> Photo:
    """`photo` with these colors, at full resolution."""
    pixels = _painted(photo.there, colors, threads or min(cores(), MOST_THREADS))
    if there := photo.metadata.there:
        whole = np.broadcast_to(photo.pixels, (photo.height, photo.width, 3)).copy()
        whole[there] = pixels
        pixels = whole
    if notes := _notes(colors):
        notes = (*photo.metadata.notes, *notes)
        photo = replace(photo, metadata=replace(photo.metadata, notes=notes))
    model = " + ".join(f"{card.name} {card.version}" for card in colors.cards)
    return made_by_opsin(
        photo,
        pixels,
        model=model,
        version=_version(),
        request=colors.request.text() if colors.request else None,
    )


@cache
def _version() -> str:
    return version("opsin")


def _painted(photo: Photo, colors: Colors, threads: int) -> Any:
    """The pixels (H, W, 3) of `photo` in these colors."""
    size_hw = (photo.height, photo.width)
    plan = upsample.fit(colors.ab, colors.light)
    pixels = np.empty((*size_hw, 3), photo.pixels.dtype)

    def strip(rows: slice) -> None:
        light = light_of_pixels(photo.pixels[rows])
        ab = upsample.apply(plan, light, rows, size_hw)
        pixels_of_lab(light, ab, pixels.dtype, out=pixels[rows])

    step = max(1, STRIP_PIXELS // photo.width)
    strips = [slice(top, min(top + step, photo.height)) for top in range(0, photo.height, step)]
    if threads == 1 or len(strips) == 1:
        for rows in strips:
            strip(rows)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(strip, strips))
    return pixels


def confidence_of(photo: Photo, colors: Colors) -> Floats:
    """How sure these colors are at each pixel of `photo`; 0 where nothing was there to color."""
    there = photo.there
    sure = confidence_map(colors, there.height, there.width)
    if photo.metadata.there is None:
        return sure
    whole = np.zeros((photo.height, photo.width), np.float32)
    whole[photo.metadata.there] = sure
    return whole


def _notes(colors: Colors) -> tuple[str, ...]:
    notes = [NOTES[colors.tone]] if colors.tone in NOTES else []
    if np.abs(colors.ab).max() < LEAST_CHROMA:  # as for an empty page, or one of text
        notes.append("got no color: the model finds none in it")
    notes += [f"{wish.text}: no {wish.thing} found" for wish in colors.missing]
    return tuple(notes)


def confidence_map(colors: Colors, height: int, width: int) -> Floats:
    """The confidence of these colors at full resolution; see `confidence`."""
    if colors.entropy is None:
        mute = next(card.name for card in colors.cards if table_of(card).answer != "bins")
        raise ModelError(f"model '{mute}' does not say how sure it is.")
    sure = np.ascontiguousarray(1 - colors.entropy)[..., None]
    tall, wide = (
        round(side * count / cells)
        for side, count, cells in zip((height, width), sure.shape, colors.view.cells, strict=False)
    )
    full: Floats = resized(sure, tall, wide, kernel="linear")[:height, :width, 0]
    return np.clip(full, 0, 1)


def _as_photo(photo: Any) -> Photo:
    return photo if isinstance(photo, Photo) else open_photo(photo)


def _refuse(cards: Sequence[Card], *, points: bool, palette: bool) -> None:
    """Networks that do not color, or none of which takes what is given."""
    for card in cards:
        table_of(card)
    for given, key, word in ((points, "hints", "points"), (palette, "condition", "palette")):
        if given and not any(key in card.input_names() for card in cards):
            raise ModelError(f"model '{','.join(card.name for card in cards)}' takes no {word}.")


def _view(photo: Photo, card: Card, size: int | None) -> View:
    """How a network sees a photograph, at the size that is asked for or at its card's."""
    if size is not None and not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size must be between {SIZES[0]} and {SIZES[1]} pixels, got {size}.")
    steps = {"multiple": card.multiple, "stride": card.outputs[0].stride}
    return View.of(photo.height, photo.width, size or card.size, **steps)


def _thumbnail(pixels: Any, card: Card) -> dict[str, Floats]:
    """L* of the whole photograph, squashed to the size that the model's card asks for, if any."""
    return {
        entry.name: light_of_pixels(resized(pixels, *map(int, entry.shape[2:])))[None, None]
        for entry in card.inputs
        if entry.name == "thumbnail"
    }


def _weaker(hints: Floats, card: Card, vividness: float) -> Floats:
    """Hints of which the colors asked for become, when the network's are made stronger."""
    how = setting_of(table_of(card), vividness)
    there = float(restrained(how.gain, how.restraint, SURE))
    ab = before_emphasis(np.moveaxis(hints[:2], 0, -1), there, how.contrast)
    return np.concatenate([np.moveaxis(ab, -1, 0), hints[2:]])


def _decoded(output: NetworkOutput, vividness: float, own: float | None) -> Colors:
    """The colors of one network, with a gain of one's own choice or with the model's."""
    card, entropy = output.card, None
    how = setting_of(table_of(card), vividness)
    if own is not None:
        how = Vividness(how.temperature, own)
    if table_of(card).answer == "bins":
        cells = upsample.cell_means(output.light[None], output.view.stride)[0]
        ab, entropy = decode(output.raw, light=cells, **how._asdict())
    else:
        ab = emphasized(np.ascontiguousarray(output.raw.transpose(1, 2, 0)), how.gain, how.contrast)
    if output.points is None and output.light.std() < PLAIN:
        ab = np.zeros_like(ab)
    if output.lent:
        ab = with_lent(ab, output.view.cells, output.lent)
    if output.regions:
        cells = upsample.cell_means(output.light[None], output.view.stride)[0]
        logits = output.raw if table_of(card).answer == "bins" else None
        ab = colored(ab, cells, output.view.cells, output.regions, logits)
    if output.points is not None:
        ab = settle(ab, output.light, output.points, stride=output.view.stride)
    return Colors(
        ab, output.light, output.view, entropy, output.tone, (card,), missing=output.missing
    )
