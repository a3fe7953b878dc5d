"""Pages for people: one HTML file each, readable in light and dark, without scripts or fetching."""

from __future__ import annotations

import base64
import html
import os
from contextlib import suppress
from importlib import resources
from pathlib import Path

from opsin.errors import WrongCallError
from opsin.files import check_writable, shown


def head(title: str, *, style: str = "", maker: str = "opsin") -> str:
    """The beginning of a page, up to its first heading; `style` is CSS of its own.

    `maker` stands in the page as what made it, so that it is known again.
    """
    common = resources.files("opsin.drawing").joinpath("page.css").read_text("utf-8")
    return (
        f"<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        f'<meta name=generator content="{html.escape(maker)}">\n'
        f'<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{common}{style}</style>\n"
    )


def check_page(path: Path, *, maker: str, option: str = "--report") -> None:
    """Refuses a place for a page before anything is done: a file that is no page of this maker is a
    `WrongCallError`, a folder where nothing can be written a `SaveError`."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise WrongCallError(f"{option} {shown(path)}: end the name with .html.")
    check_writable(path.parent)
    if not os.path.lexists(path):
        return
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                if f'content="{html.escape(maker)}"'.encode() in file.read(500):
                    return
    raise WrongCallError(
        f"{option} {shown(path)}: it exists and is no such report. Choose another name."
    )


def picture(jpeg: bytes, alt: str, *, more: str = "") -> str:
    """A JPEG inside the page; `more` are other attributes."""
    data = base64.b64encode(jpeg).decode()
    return f'<img {more} alt="{html.escape(alt)}" src="data:image/jpeg;base64,{data}">'


def duration(seconds: float) -> str:
    """Words for a time.

    >>> duration(12345), duration(75), duration(7.26)
    ('3 h 25 min', '1 min 15 s', '7.3 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
