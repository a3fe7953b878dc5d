"""What a photograph file says about its picture, apart from the pixels."""

from dataclasses import dataclass

MOST_DPI = 100_000  # beyond, it is no resolution of a photograph


@dataclass(frozen=True)
class Metadata:
    """Blobs as found in the file, without the wrapping each file format adds.

    `exif` begins with its TIFF header (`II` or `MM`), `iptc` with its first IIM
    dataset (0x1C), `xmp` is a packet of UTF-8 XML. `dpi` is (x, y). `notes` say in
    plain words what was changed on the way in.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    source: str | None = None
    format: str | None = None
    notes: tuple[str, ...] = ()
    origin: str | None = None
    """The `opsin.files.fingerprint` of the file that it was read from."""
    damage: str | None = None
    """What a damaged file lacks, in plain words; one of the notes."""
    there: tuple[slice, slice] | None = None
    """Rows and columns that a cut-off file still holds; the rest of the pixels is gray."""


def sensible_dpi(x: float, y: float) -> tuple[float, float] | None:
    """To two decimals, or None where a file says what cannot be meant."""
    x, y = round(x, 2), round(y, 2)
    return (x, y) if min(x, y) >= 1 and max(x, y) <= MOST_DPI else None
