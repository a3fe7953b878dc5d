"""A page of a run: each photograph before and after, and those that failed with their reasons.

One HTML file with its pictures inside. Rows are made as results come and are small; from a certain
number on the page says how many it leaves out. It is written at the end, also after a stop.
"""

from __future__ import annotations

import html
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from opsin.archive.result import Result, Status
from opsin.drawing.page import check_page, duration, head, picture
from opsin.files import shown, write_atomically

MOST_ROWS: Final = 2_000  # with pictures, about 10 KB each
MOST_FAILURES: Final = 5_000
SIDE: Final = 160  # pixels of a thumbnail
QUALITY: Final = 72
MAKER: Final = "opsin: report of a run"
TONES: Final = {"gray": "", "toned": "toned", "color": "in color"}


class Report:
    """Takes results as they come, from one thread, and writes the page when asked to."""

    def __init__(self, path: str | Path, *, title: str) -> None:
        """Raises `WrongCallError` or `SaveError` where the page cannot be written."""
        self.path = Path(path)
        self._title = title
        self._rows: dict[str, tuple[str, str]] = {}  # the photograph: its tone, its row
        self._failures: dict[str, str] = {}
        self._left_out: dict[str, Status] = {}
        check_page(self.path, maker=MAKER)

    def add(self, result: Result) -> None:
        """A row for a photograph; one that has a row already gets no other."""
        if any(result.input in rows for rows in (self._rows, self._failures, self._left_out)):
            return
        # a stop may come at any time: a photograph has its whole row, or none as yet
        if result.status == "failed" and len(self._failures) < MOST_FAILURES:
            self._failures[result.input] = _failure(result)
        elif result.status != "failed" and len(self._rows) < MOST_ROWS:
            self._rows[result.input] = self._row(result)
        else:
            self._left_out[result.input] = result.status

    def write(self, counts: Mapping[str, int], *, seconds: float, stopped: bool) -> Path:
        """The path, once the page is there; `counts` are of all photographs of the run."""
        told = [f"{number:,} {status}" for status, number in counts.items() if number]
        told.append(duration(seconds))
        if stopped:
            told.append("stopped before the end")
        style = resources.files("opsin.archive").joinpath("report.css").read_text("utf-8")
        parts = [
            head(self._title, style=style, maker=MAKER),
            f"<main>\n<h1>{html.escape(self._title)}</h1>\n<p class=lead>{' · '.join(told)}</p>\n",
            self._failed(),
            self._photographs(),
            "</main>\n</html>\n",
        ]
        return write_atomically(self.path, "".join(parts).encode())

    def _failed(self) -> str:
        if not self._failures:
            return ""
        more = _more(sum(status == "failed" for status in self._left_out.values()))
        rows = "".join(self._failures[name] for name in sorted(self._failures))
        return f"<h2>Failed</h2>\n{more}<table class=failed>\n{rows}</table>\n"

    def _photographs(self) -> str:
        if not self._rows:
            return ""
        found = Counter(tone for tone, _ in self._rows.values())
        tones = {tone: found[tone] for tone in TONES if found[tone]}
        choices = {"all": len(self._rows), **tones}
        marks = "".join(
            f"<label><input type=radio name=tone id={tone}{' checked' * (tone == 'all')}> "
            f"{TONES.get(tone) or tone} ({number:,})</label> "
            for tone, number in choices.items()
        )
        more = _more(sum(status != "failed" for status in self._left_out.values()))
        filters = f"<fieldset><legend>Show</legend>{marks}</fieldset>\n" if len(tones) > 1 else ""
        rows = "".join(self._rows[name][1] for name in sorted(self._rows))
        return f"<h2>Photographs</h2>\n{filters}{more}<div class=photos>\n{rows}</div>\n"

    def _row(self, result: Result) -> tuple[str, str]:
        before, tone = _thumbnail(result.input, "before")
        pictures = [before]
        output = result.outputs.get("output")
        if output is not None and os.path.exists(output):
            pictures.append(_thumbnail(output, "after")[0])
        badge = f" <mark>{TONES[tone]}</mark>" if TONES.get(tone) else ""
        told = [] if result.seconds is None else [duration(result.seconds)]
        if result.status == "skipped":
            told.append(f"skipped: {', '.join(result.notes)}")
        else:
            told += result.notes
        notes = "".join(f"<br><small>{html.escape(shown(note))}</small>" for note in told)
        link = self._link(output if len(pictures) > 1 and output else result.input)
        caption = f"<figcaption>{html.escape(shown(result.input))}{badge}{notes}</figcaption>"
        return tone, (
            f'<figure class="{tone}"><a {link}>{"".join(pictures)}</a>{caption}</figure>\n'
        )

    def _link(self, name: str) -> str:
        with suppress(ValueError):  # on another drive
            place = os.path.relpath(name, self.path.parent)
            return f'href="{html.escape(quote(os.fsencode(Path(place).as_posix())))}"'
        return ""


def _more(number: int) -> str:
    return f"<p>{number:,} more are left out of this page.</p>\n" if number else ""


def _failure(result: Result) -> str:
    name, why = (html.escape(shown(text or "")) for text in (result.input, result.error))
    return f"<tr><th scope=row>{name}<td>{why}\n"


def _thumbnail(name: str, alt: str) -> tuple[str, str]:
    """A small picture for the page, and whether the file's is gray, toned or in color."""
    from opsin.appearance import tone_of
    from opsin.formats import small
    from opsin.formats.vips import vips

    try:
        image: Any = small.thumbnail(Path(name).read_bytes(), SIDE, SIDE, size="down")
        image = image.copy_memory()  # decoded once for both
        jpeg: bytes = image.jpegsave_buffer(Q=QUALITY, keep="none")
        tone = tone_of(image.numpy())
    except (OSError, vips().Error):
        return f"<span>no picture {alt}</span>", ""
    more = f"width={image.width} height={image.height} loading=lazy"
    return picture(jpeg, f"{alt}: {shown(name)}", more=more), tone
