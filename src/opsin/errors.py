"""What can go wrong, as one small family.

Every message says what was given, what was expected and what to do about it, in
one or two short sentences, so that the command line can print it as it is.

    OpsinError
    ├── PhotoError                 a photograph cannot be read
    │   ├── NotAPhotoError         the file is no picture, or of a kind we cannot read
    │   ├── TruncatedPhotoError    the picture is damaged or cut off
    │   └── PhotoTooLargeError     more pixels than the limit
    ├── NothingFoundError          what is looked for is not on a photograph
    ├── SaveError                  a file cannot be written
    ├── ModelError                 unknown model, bad card, hash mismatch
    ├── RecipeError                a recipe has an unknown or wrong setting
    ├── DataError                  training or test data is missing or damaged
    ├── ExtraMissingError          a feature needs an extra that is not installed
    └── WrongCallError             a job or a command cannot work as it was asked for

Bad arguments raise Python's own `ValueError` and `TypeError`.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class OpsinError(Exception):
    """Anything opsin reports on purpose."""


class PhotoError(OpsinError):
    """A photograph cannot be read."""


class NotAPhotoError(PhotoError):
    """The file is no picture, or of a kind we cannot read."""


class TruncatedPhotoError(PhotoError):
    """The picture is damaged or cut off."""


class PhotoTooLargeError(PhotoError):
    """The picture has more pixels than the limit."""


class NothingFoundError(OpsinError):
    """What is looked for is not on the photograph."""


class SaveError(OpsinError):
    """A file cannot be written."""


class ModelError(OpsinError):
    """Unknown model, bad card or hash mismatch."""


class RecipeError(OpsinError):
    """A recipe has an unknown or wrong setting; `key` names it, as in "data.size"."""

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class DataError(OpsinError):
    """Training or test data is missing or damaged."""


class ExtraMissingError(OpsinError):
    """A feature needs an extra that is not installed."""


class WrongCallError(OpsinError):
    """A job or a command was asked for in a way that cannot work; nothing was started."""


@contextmanager
def needs_extra(feature: str, extra: str) -> Iterator[None]:
    """Around imports: a package that is missing becomes one sentence with the install command.

    >>> with needs_extra("training", "train"):  # doctest: +ELLIPSIS
    ...     import no_such_package
    Traceback (most recent call last):
    opsin.errors.ExtraMissingError: training needs packages ... pip install 'opsin[train]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("opsin"):
            raise
        raise missing_extra(feature, extra) from error


def missing_extra(feature: str, extra: str) -> ExtraMissingError:
    """The error to raise when an optional import fails.

    >>> str(missing_extra("training", "train"))
    "training needs packages that are not installed: pip install 'opsin[train]'"
    """
    return ExtraMissingError(
        f"{feature} needs packages that are not installed: pip install 'opsin[{extra}]'"
    )
