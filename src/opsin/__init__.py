"""opsin gives black-and-white photographs their colors, offline.

>>> import opsin
>>> photo = opsin.colorize("scan.jpg")  # doctest: +SKIP
>>> photo.save("scan-color.jpg")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opsin.archive.gender import gender
    from opsin.colorization.again import again
    from opsin.colorization.pipeline import colorize, confidence
    from opsin.colorization.samples import samples
    from opsin.colorization.suggest import suggest
    from opsin.colorization.touchup import Touchup
    from opsin.errors import (
        DataError,
        ExtraMissingError,
        ModelError,
        NotAPhotoError,
        NothingFoundError,
        OpsinError,
        PhotoError,
        PhotoTooLargeError,
        RecipeError,
        SaveError,
        TruncatedPhotoError,
        WrongCallError,
    )
    from opsin.faces.pipeline import find_faces
    from opsin.objects.background import background
    from opsin.objects.pipeline import detect
    from opsin.objects.segment import segment
    from opsin.objects.video import track
    from opsin.people.file import People
    from opsin.photo import Photo, open
    from opsin.recognition.pipeline import classify

    __version__: str

__all__ = [
    "DataError",
    "ExtraMissingError",
    "ModelError",
    "NotAPhotoError",
    "NothingFoundError",
    "OpsinError",
    "People",
    "Photo",
    "PhotoError",
    "PhotoTooLargeError",
    "RecipeError",
    "SaveError",
    "Touchup",
    "TruncatedPhotoError",
    "WrongCallError",
    "__version__",
    "again",
    "background",
    "classify",
    "colorize",
    "confidence",
    "detect",
    "find_faces",
    "gender",
    "open",
    "samples",
    "segment",
    "suggest",
    "track",
]

# Each name is fetched when it is first asked for (PEP 562): `import opsin` loads nothing.
_HOMES = {
    "again": "opsin.colorization.again",
    "background": "opsin.objects.background",
    "People": "opsin.people.file",
    "Photo": "opsin.photo",
    "open": "opsin.photo",
    "classify": "opsin.recognition.pipeline",
    "colorize": "opsin.colorization.pipeline",
    "confidence": "opsin.colorization.pipeline",
    "detect": "opsin.objects.pipeline",
    "find_faces": "opsin.faces.pipeline",
    "gender": "opsin.archive.gender",
    "samples": "opsin.colorization.samples",
    "segment": "opsin.objects.segment",
    "suggest": "opsin.colorization.suggest",
    "track": "opsin.objects.video",
    "Touchup": "opsin.colorization.touchup",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'opsin' has no attribute {name!r}")
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("opsin")
    else:
        value = getattr(import_module(_HOMES.get(name, "opsin.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
