"""The command line: one file a verb, loaded only when that verb is asked for.

A verb is a function that typer can read, or a `typer.Typer` with verbs of its own; a function's
`reader` is its class of command, if it needs one. To add one, add a line to `VERBS`. Exit codes: 0
all is well, 1 something failed, 2 the call was wrong, 130 stopped by the user. What opsin reports
on purpose is one line on stderr; a bug keeps its traceback.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import cleandoc
from typing import Any

from opsin.errors import OpsinError, WrongCallError

VERBS = {  # verb: (module:name, what it does)
    "colorize": ("opsin.cli.colorize:colorize", "Give black-and-white photographs their colors."),
    "classify": ("opsin.cli.classify:classify", "Tell what is on photographs."),
    "faces": ("opsin.cli.faces:faces", "Find faces on photographs, cut them out or blur them."),
    "people": (
        "opsin.cli.people:people",
        "Tell who is on photographs, of people you introduced.",
    ),
    "detect": ("opsin.cli.detect:detect", "Tell what things are on photographs, and where."),
    "explain": ("opsin.cli.explain:explain", "Draw how detectors come to their answers."),
    "track": ("opsin.cli.track:track", "Follow things through videos, or before a camera."),
    "tag": ("opsin.cli.tag:tag", "Write names of things into photographs' metadata."),
    "segment": ("opsin.cli.segment:segment", "Tell which pixels of photographs are which things."),
    "background": (
        "opsin.cli.background:background",
        "Put people before another background.",
    ),
    "gender": ("opsin.cli.gender:gender", "Tell gender from the faces on photographs."),
    "learn": ("opsin.cli.learn:learn", "Learn to name new things from folders of pictures."),
    "again": ("opsin.cli.again:again", "Make a colored copy again, as it was or with changes."),
    "suggest": ("opsin.cli.suggest:suggest", "Tell the likely colors of a place on a photograph."),
    "page": ("opsin.cli.page:page", "Touch up photographs in a browser, on this machine."),
    "models": ("opsin.cli.models:models", "List, show, add and remove models."),
    "evaluate": ("opsin.cli.evaluate:evaluate", "Measure how good models are."),
    "compare": (
        "opsin.cli.compare:compare",
        "Show what each model makes of photographs.",
    ),
    "inspect": ("opsin.cli.inspect:inspect", "Draw what happens inside a network."),
    "pack": ("opsin.cli.pack:pack", "Put pictures into one tar to train on."),
    "train": ("opsin.cli.train:train", "Train a network by a recipe."),
    "export": ("opsin.cli.export:export", "Make a model of a training run."),
    "bench": ("opsin.cli.bench:bench", "Measure how fast opsin is on this machine."),
}

FAILED, WRONG_CALL, STOPPED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give back its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _open_closed()
    try:
        _suggest(arguments)
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except OpsinError as error:
        print(f"opsin: {error}", file=sys.stderr)
        return WRONG_CALL if isinstance(error, WrongCallError) else FAILED
    except KeyboardInterrupt:
        print("opsin: stopped.", file=sys.stderr)
        return STOPPED
    except OSError as error:
        if error.filename is not None:
            raise
        _close_stdout()
        if not isinstance(error, BrokenPipeError):  # the reader has closed the pipe
            print(f"opsin: standard output cannot be written ({error.strerror}).", file=sys.stderr)
        return FAILED


def write_to_stdout(data: bytes) -> None:
    """All of `data`: an unbuffered stdout takes only as much at once as there is room for."""
    if sys.__stdout__ is None:
        raise OSError(errno.EBADF, "it is closed")
    rest = memoryview(data)
    while rest:
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def application(arguments: Sequence[str]) -> Any:
    """The typer application, in which only the verbs among `arguments` are more than a name."""
    import typer

    # help in plain text: drawing it with rich would triple the time it takes
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.callback()
    def opsin(
        version: bool = typer.Option(
            False, "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ) -> None:
        """Give black-and-white photographs their colors, offline."""

    words = {*arguments, *os.environ.get("COMP_WORDS", "").split()}
    for verb, (target, summary) in VERBS.items():
        command = _load(target) if verb in words else _not_loaded
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=verb, help=summary)
        else:
            reader = getattr(command, "reader", None)  # a command that reads its words otherwise
            app.command(verb, cls=reader, help=_help(command, summary))(command)
    return app


def _run(arguments: Sequence[str]) -> int:
    try:
        application(arguments)(arguments, prog_name="opsin")
    except SystemExit as stop:
        if isinstance(getattr(stop.__context__, "__cause__", None), KeyboardInterrupt):
            raise KeyboardInterrupt from None  # of which typer makes an exit without a word
        return stop.code if isinstance(stop.code, int) else FAILED
    return 0


def _open_closed() -> None:
    """Where the shell has closed a standard stream (>&-), nothing is read and nothing is shown."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # as long as the process


def _suggest(arguments: Sequence[str]) -> None:
    """`opsin photo.jpg` means `opsin colorize photo.jpg`, and is told so."""
    word = next((word for word in arguments if not word.startswith("-")), "")
    if word and word not in VERBS and os.path.exists(word):
        raise WrongCallError(f"say what to do with it, as in: opsin colorize {shlex.join([word])}")


def _close_stdout() -> None:
    """Keep Python from writing there once more, and failing again, when it ends."""
    with contextlib.suppress(OSError, ValueError):  # a test's stdout is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _not_loaded() -> None:
    """Stands for a verb in the list of all; never called."""


def _help(command: Callable[..., Any], summary: str) -> str:
    """The summary and, below it, the command's docstring."""
    return f"{summary}\n\n{cleandoc(command.__doc__)}" if command.__doc__ else summary


def _print_version(wanted: bool) -> None:
    if wanted:
        from opsin import __version__

        print(f"opsin {__version__}")
        raise SystemExit(0)
