"""Which photographs are meant, and where their color pictures go: decided before any work.

Folders are searched through and through, for image files that are not hidden and not opsin's
own pictures; their structure is kept under the output folder. Two photographs that would
write one file are told apart by their suffixes or by a number: also where only the case of a
letter tells them apart. No photograph is ever written to, whatever name leads to it.
"""

from __future__ import annotations

import functools
import glob
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from opsin.defaults import MOST_SAMPLES
from opsin.errors import WrongCallError
from opsin.files import NO_ADDRESS, is_address, shown
from opsin.formats.suffixes import KEPT, READ, SUFFIX
from opsin.sets.walk import OnSkip, is_picture, matches, walk

NOTHING: Final[Mapping[str, str]] = {}

OWN = (
    *("-color", "-compare", "-confidence"),
    *(f"-color-{number}" for number in range(2, MOST_SAMPLES + 1)),
)
"""What the names of opsin's own pictures end with."""

MADE = ("-new-background", "-blurred-background", "-cutout", "-spot-color")
"""The same of pictures whose names others may have given, too: these are opsin's own only where the
photograph lies beside."""


@dataclass(frozen=True)
class Job:
    """A photograph and the files that are to be made of it."""

    source: Path
    outputs: Mapping[str, Path] = field(default_factory=dict)
    """By role: "output" is the picture, beside others as "compare" or "confidence"."""

    def is_done(self) -> bool:
        """Whether all of its files exist; a photograph of which none is made is never done."""
        return bool(self.outputs) and all(map(os.path.exists, self.outputs.values()))

    def path(self, role: str) -> Path:
        """Where a role's file goes. That of "crop 2" is beside that of "crop", NAME-1.

        >>> Job(Path("a.jpg"), {"crop": Path("a-face-1.jpg")}).path("crop 2").name
        'a-face-2.jpg'
        """
        if role in self.outputs:
            return self.outputs[role]
        name, _, number = role.rpartition(" ")
        first = self.outputs[name]
        return first.with_stem(first.stem.removesuffix("1") + number)


def format_of(name: str) -> str:
    """The writable format called `name`, with or without a dot; jpg and tif are understood."""
    plain = name.lower().removeprefix(".")
    plain = READ.get(f".{plain}", plain)
    if plain not in SUFFIX:
        raise WrongCallError(f"cannot write '{name}'. Formats: {', '.join(SUFFIX)}.")
    return plain


def plan(
    paths: Sequence[str],
    *,
    output: str | None = None,
    format: str | None = None,
    picture: str | None = "color",
    extras: Mapping[str, str] = NOTHING,
    keeps: Sequence[str] = KEPT,
    reads: Sequence[str] = (),
) -> tuple[list[Job], list[tuple[Path, str]]]:
    """One job for each photograph that `paths` (files, folders, globs) mean.

    Its picture is called NAME-`picture`; None for work that makes none. `extras` are other files
    beside it by role, with their suffixes: {"compare": ".jpg"}; an empty one is the picture's.
    `keeps` are the formats that a photograph keeps; of the others it becomes PNG. Also told is what
    could not be looked into, and why: such folders are passed over. `reads` are other files that
    are read, and so not written to.
    """
    unread: list[tuple[Path, str]] = []

    def pass_over(place: Path, why: str) -> None:
        unread.append((place, why))

    folder = output is not None and _means_folder(output, paths)
    out = Path(output) if output is not None else None
    found = _unique(_found(paths, out if folder else None, pass_over))
    if not found and not unread:
        raise WrongCallError(f"no photograph in {', '.join(map(shown, paths))}.")
    if out is not None and not folder and len(found) > 1:
        raise WrongCallError(f"-o {out} is one file, but there are {len(found)} photographs.")
    one = None if out is None or folder else out  # the file that the one picture is written to
    if one is not None and format_of(format or one.suffix) != format_of(one.suffix):
        raise WrongCallError(f"--format {format} does not fit the name {one}.")
    jobs = []
    for path, base in found:
        place = path.parent if out is None else out / path.parent.relative_to(base)
        jobs.append(_job(path, place, one, picture, format, extras, keeps))
    jobs = _told_apart(jobs)
    _refuse_collisions(jobs, reads)
    return jobs, unread


def plan_into(
    paths: Sequence[str],
    folders: Mapping[str, str],
    *,
    words: Mapping[str, str],
    formats: Mapping[str, str] = NOTHING,
) -> tuple[list[Job], list[tuple[Path, str]]]:
    """As `plan`, with a folder for each role; `words` are what the names of a role's files end
    with, and `formats` what is not the photograph's own. What lies in these folders is none of the
    photographs, unless it is named and not called like a file made of another."""
    if not all(folders.values()):  # as of a variable that is not set
        raise WrongCallError("an empty name of a folder. For the current folder, type a dot.")
    places = [Path(folder).resolve() for folder in folders.values()]
    paths = _without_made(paths, places, words)
    named = {os.path.abspath(path) for path in paths if os.path.isfile(path)}
    jobs, unread = plan(paths, picture=None)
    outputs: dict[Path, dict[str, Path]] = {
        job.source: {}
        for job in jobs
        if not any(place in job.source.resolve().parents for place in places)
        or os.path.abspath(job.source) in named
    }
    if not outputs and not unread:
        raise WrongCallError("no photograph but in the folders that are written to.")
    for role, folder in folders.items():
        made, _ = plan(
            paths,
            output=os.path.join(folder, ""),
            picture=words[role],
            format=formats.get(role),
        )
        for job in made:
            if job.source in outputs:
                outputs[job.source][role] = job.outputs["output"]
    return [Job(source, files) for source, files in outputs.items()], unread


def job_by_name(
    source: Path,
    *,
    picture: str | None = "color",
    format: str | None = None,
    extras: Mapping[str, str] = NOTHING,
) -> Job:
    """As `plan`, the job of one photograph of many that nobody has seen together.

    Whatever lies beside it, no two have files of one name: what gets another suffix than its
    photograph's is called after that, too, as is what could be taken for such a name.

    >>> job_by_name(Path("scan.jpg")).outputs["output"].name
    'scan-color.jpg'
    >>> job_by_name(Path("scan.bmp")).outputs["output"].name
    'scan-bmp-color.png'
    """
    job = _job(source, source.parent, None, picture, format, extras)
    _, dash, word = source.stem.rpartition("-")
    is_like_another = bool(dash) and f".{word.lower()}" in READ  # scan-bmp.png

    def name(path: Path, source: Path) -> Path:
        if path.suffix == source.suffix and not is_like_another:
            return path
        return _renamed(path, source, source.suffix[1:])

    return _with_names(job, name)


def without_lender(jobs: Sequence[Job], lender: str) -> tuple[list[Job], list[Path]]:
    """The jobs of a series without the photograph that lends the others its colors, and without one
    that `lender` is the picture of; and these photographs.

    A single job stays; where it, or any other, would write over the lender it is a
    `WrongCallError`.
    """
    names, files = {_key(Path(lender))}, {_file(Path(lender))} - {None}

    def is_lender(path: Path | None) -> bool:
        return path is not None and (_key(path) in names or _file(path) in files)

    kept = [
        job for job in jobs if not (is_lender(job.source) or is_lender(job.outputs.get("output")))
    ]
    kept = kept or list(jobs)
    _refuse_collisions(kept, [lender])
    return kept, [job.source for job in jobs if job not in kept]


def _job(
    source: Path,
    place: Path,
    one: Path | None,
    picture: str | None,
    format: str | None,
    extras: Mapping[str, str],
    keeps: Sequence[str] = KEPT,
) -> Job:
    """A photograph's job; its files go to `place`, or the picture to the file `one` and the others
    beside it."""
    target = one or place / _name(source, picture or "", format, keeps)
    stem = source.stem if one is None else one.stem
    outputs = {} if picture is None else {"output": target}
    for role, suffix in extras.items():
        end = role if one is None else role.removeprefix(f"{picture}-")  # new-2.jpg beside new.jpg
        outputs[role] = target.with_name(f"{stem}-{end}{suffix or target.suffix}")
    return Job(source, outputs)


def _means_folder(output: str, paths: Sequence[str]) -> bool:
    if output.endswith(("/", os.sep)) or Path(output).is_dir():
        return True
    suffix = Path(output).suffix
    if suffix and suffix.lower() not in READ and len(paths) == 1 and Path(paths[0]).is_file():
        raise WrongCallError(
            f"cannot write '{suffix}'. Formats: {', '.join(SUFFIX)}. "
            f"If {shown(output)} is to be a folder, end the name with /."
        )
    return suffix.lower() not in READ


def _found(paths: Iterable[str], out: Path | None, on_skip: OnSkip) -> Iterator[tuple[Path, Path]]:
    """Each photograph with the folder that its place in the output is counted from."""
    paths = list(paths)
    named = {os.path.abspath(text) for text in paths}
    for text in paths:
        path = Path(text)
        if not text:  # as of a variable that is not set; it would be the current folder
            raise WrongCallError("an empty name. For the current folder, type a dot.")
        if path.is_dir():
            found: Iterator[tuple[Path, Path]] = (
                (file, path) for file in walk(path, on_skip, without=out)
            )
        elif os.path.exists(path):
            # a shell's * names scan.jpg and scan-color.jpg; who names the second alone wants it
            if not any(os.path.abspath(one) in named for one in _made_of(path)):
                yield path, path.parent
            continue
        elif is_address(text):
            raise WrongCallError(f"{shown(text)}: {NO_ADDRESS}")
        elif glob.has_magic(text):
            found = matches(text, on_skip, without=out)
        else:
            raise WrongCallError(f"{shown(text)}: no such file or folder.")
        yield from (one for one in found if not _is_made(one[0]))


def _is_made(path: Path) -> bool:
    """Whether a file in a folder is a picture of opsin's own."""
    return path.stem.lower().endswith(OWN) or any(one.exists() for one in _made_of(path))


def is_photograph(name: str) -> bool:
    """Whether a file of this name is one, and neither hidden nor made by opsin."""
    return is_picture(name) and not os.path.splitext(name)[0].lower().endswith(OWN)


def _made_of(path: Path) -> list[Path]:
    """The photographs beside it that it would be a picture of, by its name."""
    for end in (*OWN, *MADE):
        if path.stem.endswith(end):
            stem = path.stem.removesuffix(end)
            scan, _, suffix = stem.rpartition("-")  # scan-bmp-color.png; see `_told_apart`
            names = [stem + form for one in READ for form in (one, one.upper())]
            if scan and f".{suffix.lower()}" in READ:
                names.append(f"{scan}.{suffix}")
            elif scan and suffix.isdigit():
                names += [scan + form for one in READ for form in (one, one.upper())]
            return [path.with_name(name) for name in names]
    return []


def _without_made(
    paths: Sequence[str], places: Sequence[Path], words: Mapping[str, str]
) -> list[str]:
    """Without files in the places that are named as if made of another, as scan-face-3 of scan:
    a shell's * names them, too."""
    stems = {Path(path).stem for path in paths}

    def is_made(path: Path) -> bool:
        if not path.is_file() or not any(place in path.resolve().parents for place in places):
            return False
        ends = {f"-{word.rstrip('1')}" for word in words.values()}
        return any(
            path.stem.startswith(stem) and path.stem.removeprefix(stem).rstrip("0123456789") in ends
            for stem in stems
        )

    return [path for path in paths if not is_made(Path(path))]


def _unique(found: Iterable[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    return list({os.path.abspath(path): (path, base) for path, base in found}.values())


def _name(source: Path, picture: str, format: str | None, keeps: Sequence[str]) -> str:
    """What the picture is called; a photograph's own suffix stays where its format does."""
    own = READ.get(source.suffix.lower(), "")
    format = format_of(format or (own if own in keeps else "png"))
    return f"{source.stem}-{picture}{source.suffix if format == own else SUFFIX[format]}"


def _told_apart(jobs: Sequence[Job]) -> list[Job]:
    """Jobs that write no file twice.

    Where scan.png and scan.bmp would write one picture, that of another suffix than its photograph
    becomes scan-bmp-color.png. Where names still are one, or differ in the case of letters alone,
    which is one name on many disks, later ones get a number: scan-2-color.jpg.
    """
    writers = Counter(_key(path) for job in jobs for path in job.outputs.values())
    taken: set[str] = set()

    def with_suffix(path: Path, source: Path) -> Path:
        if writers[_key(path)] == 1 or path.suffix.lower() == source.suffix.lower():
            return path
        return _renamed(path, source, source.suffix[1:])

    apart = []
    for job in jobs:
        named = _with_names(job, with_suffix)
        number = 1
        while taken & {_key(path) for path in named.outputs.values()}:
            number += 1
            named = _with_names(job, functools.partial(_renamed, add=str(number)))
        taken |= {_key(path) for path in named.outputs.values()}
        apart.append(named)
    return apart


def _with_names(job: Job, name: Callable[[Path, Path], Path]) -> Job:
    outputs = {role: name(path, job.source) for role, path in job.outputs.items()}
    return replace(job, outputs=outputs)


def _renamed(path: Path, source: Path, add: str) -> Path:
    """scan-color.png with a word between the photograph's name and the rest."""
    end = path.stem.removeprefix(source.stem)
    return path.with_name(f"{source.stem}-{add}{end}{path.suffix}")


def _refuse_collisions(jobs: Sequence[Job], reads: Sequence[str] = ()) -> None:
    """No photograph is written to, nor what else is read: not by its name, nor by a link or another
    name of its file."""
    sources = [*(job.source for job in jobs), *map(Path, reads)]
    names = {_key(source) for source in sources}
    files = {_file(source) for source in sources} - {None}
    for job in jobs:
        for path in job.outputs.values():
            if _key(path) in names or _file(path) in files:
                raise WrongCallError(
                    f"{shown(path)} is one of the photographs, or of what is read for them; it "
                    "would be overwritten. Write to another name or folder."
                )


def _file(path: Path) -> tuple[int, int] | None:
    """What is behind a name, links followed; None if there is nothing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _key(path: Path) -> str:
    """Equal for two names that some file system takes for one."""
    return unicodedata.normalize("NFC", os.path.abspath(path)).casefold()
