"""A photograph that the people file is asked about: known from before, or looked at now."""

from __future__ import annotations

import os

from opsin.errors import ModelError, PhotoError
from opsin.files import shown
from opsin.people.database import Database
from opsin.people.look import Looking, facts_of, resolved
from opsin.people.photographs import Kept, Seen, keep, recognized, unchanged
from opsin.photo import open as open_photo


def seen(
    database: Database,
    looking: Looking,
    photo: str | os.PathLike[str],
    *,
    again: bool = False,
    threads: int | None = None,
) -> Kept:
    """A photograph that was looked at as `looking` says, now or before.

    One that cannot be read is a `PhotoError`.
    """
    place, how = resolved(photo), looking.how
    check_model(database, looking)
    if not again and (found := unchanged(database, place, how)) is not None:
        return Kept(found)
    if not place.is_file():
        open_photo(photo)  # which says what is wrong with most
        raise PhotoError(f"{shown(photo)}: not a file. Give the name of a photograph.")
    try:
        file = facts_of(place)
    except OSError as error:
        raise PhotoError(f"{shown(photo)}: cannot be read ({error.strerror}).") from error
    if not again and (found := recognized(database, file, how)) is not None:
        return Kept(found)
    look = looking.look(photo, threads=threads)  # errors name it as the user does
    kept = keep(database, file, look, Seen(how, looking.made_by, looking.rates[0][1]))
    return Kept(kept.id, (*look.notes, *kept.notes))


def check_model(database: Database, looking: Looking) -> None:
    """Embeddings of two models cannot be compared: a file has those of one."""
    model = looking.made_by
    row = database.one("SELECT min(model) AS first, max(model) AS last FROM embedding")
    other = next((one for one in row if one not in (None, model)), None)
    if other is not None:
        raise ModelError(
            f"{shown(database.path)}: its faces were embedded by '{shown(other)}', and those of "
            f"'{model}' cannot be compared with them. Name that model, or another people file."
        )
