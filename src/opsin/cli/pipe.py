"""A photograph through a pipe: one comes in; one picture goes out, or what is told of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opsin.archive.jobs import format_of
from opsin.archive.result import Result, frame
from opsin.cli import write_to_stdout
from opsin.cli.screen import print_json
from opsin.errors import OpsinError, SaveError, WrongCallError
from opsin.files import shown, write_atomically
from opsin.formats.suffixes import SUFFIX
from opsin.work import Work


def refuse_in_a_pipe(given: Mapping[str, bool]) -> None:
    """Options that mean nothing in a pipe are refused by name."""
    if names := [name for name, is_given in given.items() if is_given]:
        raise WrongCallError(
            f"{', '.join(names)}: not in a pipe, which carries one picture. Give a file's name."
        )


def pipe(
    work: Work, paths: Sequence[str], output: str | None, format: str | None, *, overwrite: bool
) -> None:
    """The picture that the work makes of stdin or of one file, on stdout or in a file."""
    from opsin.archive.batch import shares

    _check_alone(paths)
    target = None if output in (None, "-") else _file(str(output), overwrite=overwrite)
    if target is None and sys.stdout.isatty():
        raise WrongCallError("the picture would fill the terminal. Add -o FILE or > FILE.")
    if target is not None:
        format = format or target.suffix
    suffix = "" if format is None else SUFFIX[format_of(format)]
    source = sys.stdin.buffer if paths[0] == "-" else Path(paths[0])
    _, threads = shares(None, 1)
    made = work.do(source, wanted={"output": suffix}, there={}, threads=threads)
    if made.skipped is not None:
        raise OpsinError(f"no picture was made: {made.skipped}.")
    if target is None:
        write_to_stdout(made.files["output"])
    else:
        write_atomically(target, made.files["output"])
    for note in made.notes:
        print(f"opsin: {note}", file=sys.stderr)


def tell_of(
    work: Work,
    paths: Sequence[str],
    show: Callable[[str, Mapping[str, Any]], None],
    *,
    refused: Mapping[str, object],
    as_json: bool,
) -> None:
    """What the work tells of the photograph that comes through stdin: `show` prints its part.

    `refused` are options that mean nothing here, by their names; None is one that was not given.
    """
    from opsin.archive.batch import shares

    _check_alone(paths)
    if names := [name for name, value in refused.items() if value is not None]:
        raise WrongCallError(f"{', '.join(names)}: not for a pipe, whose photograph has no name.")
    _, threads = shares(None, 1)
    made = work.do(sys.stdin.buffer, wanted={}, there={}, threads=threads)
    if as_json:
        print_json(frame([Result("-", "done", notes=made.notes, part=made.part)]))
        return
    show("-", made.part)
    for note in made.notes:
        print(f"opsin: {note}", file=sys.stderr)


def _check_alone(paths: Sequence[str]) -> None:
    if len(paths) > 1:
        raise WrongCallError("a pipe carries one photograph, but there are several paths.")


def _file(output: str, *, overwrite: bool) -> Path:
    """Where the picture goes, if it may."""
    if output.endswith("/") or os.path.isdir(output):
        raise WrongCallError(
            f"-o {shown(output)} is a folder, and what comes through a pipe has no name. "
            "Give the name of a file."
        )
    target = Path(output)
    if not overwrite and target.exists():
        raise SaveError(f"{shown(target)}: already there. Choose another name, or overwrite.")
    return target
