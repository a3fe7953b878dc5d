"""When a photograph was taken, as far as its metadata say: a year, a month or a day."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from opsin.formats import exif, xmp
from opsin.formats.metadata import Metadata

EXIF_IN_XMP: Final = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP: Final = "http://ns.adobe.com/photoshop/1.0/"
SAID: Final = ((PHOTOSHOP, "DateCreated"), (EXIF_IN_XMP, "DateTimeOriginal"))
"""Where XMP says it; of a scan, the first is when the picture was taken (IPTC)."""

DATE: Final = re.compile(r"(\d{4})(?:[-:](\d\d)(?:[-:](\d\d))?)?(?![\d:-])")
FIRST_YEAR: Final = 1800
"""Older dates are zeros and slips."""


def taken(metadata: Metadata, *, sidecar: bytes | None = None) -> str | None:
    """The date as "1931", "1931-07" or "1931-07-14", or None; a sidecar's packet comes first."""
    for packet in (sidecar, metadata.xmp):
        for namespace, key in SAID:
            with suppress(ValueError):
                if packet and (found := date_of(xmp.value(packet, namespace, key) or "")):
                    return found
    with suppress(ValueError):
        return date_of((metadata.exif and exif.taken(metadata.exif)) or "")
    return None


def date_of(text: str) -> str | None:
    """A date as EXIF or XMP spells it, without the time of day.

    >>> date_of("1931:07:14 12:00:00"), date_of("1931-07"), date_of("0000:00:00 00:00:00")
    ('1931-07-14', '1931-07', None)
    """
    found = DATE.match(text.strip())
    if not found or int(found[1]) < FIRST_YEAR:
        return None
    parts = [found[1]]
    for part, most in ((found[2], 12), (found[3], 31)):
        if part is None or not 1 <= int(part) <= most:
            break
        parts.append(part)
    return "-".join(parts)
