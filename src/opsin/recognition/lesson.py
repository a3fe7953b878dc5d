"""A page of what was learned: how good, what is confused, where the network looked.

Where it looked are class activation maps, see `explain`.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from opsin.drawing.page import head as page_head
from opsin.drawing.page import picture
from opsin.drawing.pixels import fitted
from opsin.drawing.shares import confusion_table
from opsin.files import shown
from opsin.formats.vips import vips
from opsin.models.engine import Engine
from opsin.recognition.explain import MAP, class_map, enlarged, lit
from opsin.recognition.features import pixels_of
from opsin.recognition.head import Head, twice_as_many
from opsin.recognition.pipeline import picture_of

if TYPE_CHECKING:
    from opsin.recognition.learn import Lesson

Pixels = NDArray[np.uint8]

SIDE: Final = 150  # pixels of a picture on the page
PAIRS, EACH, MAPS = 6, 4, 8
MOST_CELLS: Final = 40  # classes in a table of confusions


def page(lesson: Lesson, engine: Engine, *, title: str) -> str:
    """The HTML, with its pictures inside."""
    style = resources.files("opsin.recognition").joinpath("lesson.css").read_text("utf-8")
    parts = [
        page_head(f"What {title} learned", style=style),
        f"<main>\n<h1>{html.escape(title)}</h1>\n",
        _summary(lesson),
        _doubts(lesson.doubts),
        _classes(lesson),
        _confusion(lesson),
        _pairs(lesson),
        _maps(lesson, engine),
        "</main>\n</html>\n",
    ]
    return "".join(parts)


def activation(engine: Engine, rgb: Pixels, head: Head, label: int) -> Pixels | None:
    """sRGB pixels (S, S, 3) of what the network saw, brighter where it found the class.

    None of a base without maps.
    """
    if MAP not in engine.card.output_names():
        return None
    picture = picture_of(rgb, engine.card)
    heat = class_map(engine, picture, head.weight[label])
    seen = np.broadcast_to(picture[0].transpose(1, 2, 0), (*picture.shape[2:], 3))
    return lit(seen, enlarged(heat, *seen.shape[:2]))


def _summary(lesson: Lesson) -> str:
    right, recalls = float(lesson.right.mean()), lesson.recalls()
    count = len(lesson.right)
    off = 1.96 * np.sqrt(max(right * (1 - right), 0.25 / count) / count)
    lines = [
        f"Learned from {len(lesson.learned.color):,} pictures of {len(lesson.classes)} classes. Of "
        f"{count:,} others <b>{right:.1%}</b> are named rightly (with 95 % between "
        f"{max(0, right - off):.1%} and {min(1, right + off):.1%}); the mean over the classes is "
        f"{np.nanmean(recalls):.1%}."
    ]
    gray = lesson.gray_accuracy()
    if gray is not None:
        lines.append(f"The same pictures made gray: {gray:.1%}.")
    if lesson.curve:
        steps = ", ".join(f"{n:,} pictures {one:.1%}" for n, one in lesson.curve)
        more = twice_as_many(lesson.curve)
        expected = "more gave nothing here" if more is None else f"about {more:.1%} to expect"
        lines.append(f"By how many it learned from: {steps}. Of twice as many: {expected}.")
    return "".join(f"<p>{line}</p>\n" for line in lines)


def _doubts(doubts: Sequence[str]) -> str:
    if not doubts:
        return ""
    items = "".join(f"<li>{html.escape(shown(one))}\n" for one in doubts)
    return f"<h2>Look at these first</h2>\n<ul>\n{items}</ul>\n"


def _classes(lesson: Lesson) -> str:
    table, recalls = lesson.confusion(), lesson.recalls()
    named = table.sum(axis=0)
    counts = np.bincount(lesson.learned.survey.labels, minlength=len(lesson.classes))
    rows = []
    for label in np.argsort(np.nan_to_num(recalls, nan=2), kind="stable"):
        precision = table[label, label] / named[label] if named[label] else np.nan
        cells = (f"{counts[label]:,}", _percent(recalls[label]), _percent(precision))
        name = html.escape(shown(lesson.classes[label]))
        rows.append(f"<tr><th scope=row>{name}<td>" + "<td>".join(cells) + "\n")
    return (
        "<h2>Each class</h2>\n<table>\n<tr><th>class<th>learned from<th>found (recall)"
        f"<th>right when named (precision)\n{''.join(rows)}</table>\n"
    )


def _confusion(lesson: Lesson) -> str:
    if len(lesson.classes) > MOST_CELLS:
        return ""
    return (
        "<h2>What was named what</h2>\n<p>Rows are what pictures show, columns what they were "
        f"called.</p>\n{confusion_table(lesson.classes, lesson.confusion())}"
    )


def _pairs(lesson: Lesson) -> str:
    table = lesson.confusion()
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:PAIRS]
    parts = []
    found = lesson.probabilities.argmax(axis=1)
    for flat in order:
        true, said = (int(n) for n in np.unravel_index(flat, table.shape))
        if not table[true, said]:
            break
        wrong = np.flatnonzero((lesson.test.survey.labels == true) & (found == said))[:EACH]
        figures = "".join(_figure(lesson, int(number)) for number in wrong)
        names = (html.escape(shown(lesson.classes[n])) for n in (true, said))
        parts.append(f"<h3>{' called '.join(names)}</h3>\n<div class=row>{figures}</div>\n")
    return f"<h2>Confused most</h2>\n{''.join(parts)}" if parts else ""


def _maps(lesson: Lesson, engine: Engine) -> str:
    """Where it looked, of some that are right and some that are wrong."""
    wrong, right = np.flatnonzero(~lesson.right), np.flatnonzero(lesson.right)
    chosen = [*right[:: max(1, len(right) // (MAPS // 2))][: MAPS // 2], *wrong[: MAPS // 2]]
    parts = []
    for number in map(int, chosen):
        rgb = pixels_of(lesson.test.survey.pictures[number])
        label = int(lesson.probabilities[number].argmax())
        drawn = None if rgb is None else activation(engine, rgb, lesson.head, label)
        if drawn is not None:
            parts.append(_figure(lesson, number, drawn))
    if not parts:
        return ""
    return (
        "<h2>Where it looked</h2>\n<p>Bright is what spoke for the name that was given.</p>\n"
        f"<div class=row>{''.join(parts)}</div>\n"
    )


def _figure(lesson: Lesson, number: int, drawn: Any = None) -> str:
    one = lesson.test.survey.pictures[number]
    pixels = pixels_of(one) if drawn is None else drawn
    if pixels is None:
        return ""
    said, true = int(lesson.probabilities[number].argmax()), int(lesson.test.survey.labels[number])
    share = lesson.probabilities[number, said]
    words = f"{shown(lesson.classes[said])} {share:.0%}"
    words += "" if said == true else f", is {shown(lesson.classes[true])}"
    image = vips().Image.new_from_array(np.ascontiguousarray(fitted(pixels, SIDE)))
    jpeg: bytes = image.jpegsave_buffer(Q=80)
    name = html.escape(shown(lesson.test.survey.names[number]))
    return (
        f"<figure>{picture(jpeg, words, more='loading=lazy')}<figcaption>{html.escape(words)}"
        f"<br><small>{name}</small></figcaption></figure>\n"
    )


def _percent(share: float) -> str:
    return "-" if share != share else f"{share:.1%}"
