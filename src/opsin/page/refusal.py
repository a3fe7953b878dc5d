"""A request that is not done, and why: the browser gets a status, a word and a sentence."""

from __future__ import annotations

from opsin.errors import OpsinError, TruncatedPhotoError


class RefusedError(OpsinError):
    """`code` is a word by which the page finds its own sentence, in the user's language."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def code_of(error: OpsinError) -> str:
    """The word for any error of the package."""
    if isinstance(error, RefusedError):
        return error.code
    return "damaged" if isinstance(error, TruncatedPhotoError) else "error"


def no_session() -> RefusedError:
    return RefusedError(
        403, "session", "This page is of an earlier run, or was idle for too long. Load it again."
    )


def gone() -> RefusedError:
    return RefusedError(404, "gone", "This photograph is not open.")


def too_large(what: str, most: int) -> RefusedError:
    return RefusedError(
        413, "large", f"{what} is larger than {most >> 20} MB, the most that is taken."
    )
