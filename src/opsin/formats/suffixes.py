"""What the names of photographs end with: the one list, for folders, tars and new files."""

from typing import Final

WRITTEN: Final = {
    **{".jpg": "jpeg", ".jpeg": "jpeg", ".jpe": "jpeg", ".jfif": "jpeg"},
    **{".png": "png", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp"},
    **{".avif": "avif", ".bmp": "bmp", ".dib": "bmp"},
}
"""Formats that can be written."""

READ: Final = {
    **WRITTEN,
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), "jp2"),
    **{".gif": "gif", ".heic": "heic", ".heif": "heic"},
}
"""What is looked for; of HEIC only the reason is told why it cannot be read."""

SUFFIX: Final = {
    "jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp", "avif": ".avif", "bmp": ".bmp",
}  # fmt: skip
"""The formats that can be written, and the suffix that a new file gets."""

KEPT: Final = tuple(kind for kind in SUFFIX if kind != "bmp")  # it cannot tell who made its colors
"""The formats that a photograph keeps; of the others it becomes PNG."""
