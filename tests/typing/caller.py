"""A program that uses opsin: mypy --strict reads it against the installed package (`make smoke`).

It is never run. A wrong call must be an error: an unused `type: ignore` fails the check.
"""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import opsin


def one(path: Path) -> Path:
    photo = opsin.open(path)
    assert_type(photo, opsin.Photo)
    assert_type(photo.pixels, NDArray[Any])
    assert_type(photo.height, int)
    assert_type(photo.notes, tuple[str, ...])
    colored = opsin.colorize(photo, vividness=0.6, points=[(120, 300, "#a03020")])
    assert_type(colored, opsin.Photo)
    assert_type(opsin.confidence(photo), NDArray[np.float32])
    return colored.save(path.with_stem(f"{path.stem}-color"), quality=95)


def many(paths: list[Path]) -> list[str]:
    failures = []
    for path in paths:
        try:
            one(path)
        except opsin.TruncatedPhotoError as error:
            opsin.colorize(opsin.open(path, damaged=True))
            failures.append(str(error))
        except opsin.OpsinError as error:
            failures.append(str(error))
    return failures


def wrong() -> None:
    opsin.colorize("scan.jpg", vividness="strong")  # type: ignore[arg-type]
    opsin.colorize("scan.jpg", vividnes=0.6)  # type: ignore[call-arg]
    opsin.colorize("scan.jpg", "default")  # type: ignore[call-arg]
    opsin.open("scan.jpg").save(3)  # type: ignore[arg-type]
    opsin.open("scan.jpg").pixel  # type: ignore[attr-defined]  # noqa: B018


__version__: str = opsin.__version__
