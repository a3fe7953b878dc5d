"""What the names of photographs end with: the one list, for folders, tars and new files."""

from typing import Final

WRITTEN: Final = {
    **{".jfif": "jpeg", ".jpe": "jpeg", ".jpeg": "jpeg", ".jpg": "jpeg"},
    **{".png": "png", ".tiff": "tiff", ".tif": "tiff", ".webp": "webp"},
    **{".avif": "avif", ".dib": "bmp", ".bmp": "bmp"},
}
"""Formats that can be written."""

READ: Final = {
    **WRITTEN,
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), "jp2"),
    **{".gif": "gif", ".heic": "heic", ".heif": "heic", ".hif": "heic"},
}
"""What is looked for; of HEIC only the reason is told where its reader is not installed."""

SUFFIX: Final = {format: suffix for suffix, format in WRITTEN.items()}
"""The formats that can be written, and the suffix that a new file gets: the last in the list."""

KEPT: Final = tuple(one for one in SUFFIX if one != "bmp")  # it cannot tell who made its colors
"""The formats that a photograph keeps; of the others it becomes PNG."""

VIDEOS: Final = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts"),
    *(".3gp", ".wmv", ".flv", ".ogv", ".dv", ".vob"),
)
"""What the names of videos end with."""
