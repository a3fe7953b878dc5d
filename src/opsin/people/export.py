"""Confirmed faces as a file for other programs: JSON, or a line of CSV each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Final

from opsin.archive.table import FORMULAS, KEEP
from opsin.people.records import NamedPhoto

COLUMNS: Final = ("path", "name", "x1", "y1", "x2", "y2", "width", "height", "source")


def as_json_text(photos: Iterable[NamedPhoto]) -> bytes:
    """A list of photographs with their faces; see `NamedPhoto.document`."""
    documents = [photo.document() for photo in photos]
    return (json.dumps(documents, ensure_ascii=False, indent=2) + "\n").encode()


def as_csv(photos: Iterable[NamedPhoto]) -> bytes:
    """A head and a line for each face; no cell begins with what a spreadsheet runs."""
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(COLUMNS)
    for photo in photos:
        for face in photo.faces:
            name = f"'{face.name}" if face.name.startswith(FORMULAS) else face.name
            box = (round(side, 1) for side in face.box)
            size = (photo.width, photo.height)
            lines.writerow((str(photo.path), name, *box, *size, face.source))
    return out.getvalue().encode(**KEEP)
