"""Which photographs are meant, and where their color pictures go: decided before any work.

Folders are searched through and through, for image files that are not hidden and not opsin's
own pictures; their structure is kept under the output folder. Two photographs that would
write one file are told apart by their suffixes, or refused: also where only the case of a
letter tells them apart.
"""

from __future__ import annotations

import functools
import glob
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from opsin.cli import WrongCallError
from opsin.files import shown

WRITABLE = {
    "jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp", "avif": ".avif", "bmp": ".bmp",
}  # fmt: skip
"""The formats that can be written, and the suffix that a new one gets."""

KEPT = tuple(kind for kind in WRITABLE if kind != "bmp")  # it cannot tell who made its colors
"""The formats that a photograph keeps; of the others it becomes PNG."""

OWN = ("-color", "-compare", "-confidence")
"""What the names of opsin's own pictures end with."""


@functools.cache
def suffixes() -> dict[str, str]:
    """The files that are looked for in folders, and their formats."""
    from opsin.formats.encode import SUFFIXES  # loads NumPy, which the help can do without

    return {**SUFFIXES, ".gif": "gif", ".heic": "heic", ".heif": "heic"}


@dataclass(frozen=True)
class Job:
    """A photograph and the files that are to be made of it."""

    source: Path
    target: Path
    format: str
    compare: Path | None = None
    confidence: Path | None = None

    def outputs(self) -> list[Path]:
        return [path for path in (self.target, self.compare, self.confidence) if path]

    def is_done(self) -> bool:
        return all(path.exists() for path in self.outputs())


def format_of(name: str) -> str:
    """The writable format called `name`, with or without a dot; jpg and tif are understood."""
    plain = name.lower().removeprefix(".")
    plain = suffixes().get(f".{plain}", plain)
    if plain not in WRITABLE:
        raise WrongCallError(f"cannot write '{name}'. Formats: {', '.join(WRITABLE)}.")
    return plain


def plan(
    paths: Sequence[str],
    *,
    output: str | None = None,
    format: str | None = None,
    compare: bool = False,
    confidence: bool = False,
) -> list[Job]:
    """One job for each photograph that `paths` (files, folders, globs) mean."""
    folder = output is not None and _means_folder(output, paths)
    out = Path(output) if output is not None else None
    found = _unique(_found(paths, out if folder else None))
    if not found:
        raise WrongCallError(f"no photograph in {', '.join(map(shown, paths))}.")
    if out is not None and not folder and len(found) > 1:
        raise WrongCallError(f"-o {out} is one file, but there are {len(found)} photographs.")
    jobs = [_job(path, base, out, folder, format, compare, confidence) for path, base in found]
    jobs = _told_apart(jobs)
    _refuse_collisions(jobs)
    return jobs


def _means_folder(output: str, paths: Sequence[str]) -> bool:
    if output.endswith(("/", os.sep)) or Path(output).is_dir():
        return True
    suffix = Path(output).suffix
    if suffix and suffix.lower() not in suffixes() and len(paths) == 1 and Path(paths[0]).is_file():
        raise WrongCallError(
            f"cannot write '{suffix}'. Formats: {', '.join(WRITABLE)}. "
            f"If {shown(output)} shall be a folder, end it with /."
        )
    return suffix.lower() not in suffixes()


def _found(paths: Iterable[str], out: Path | None) -> Iterator[tuple[Path, Path]]:
    """Each photograph with the folder that its place in the output is counted from."""
    for text in paths:
        path = Path(text)
        if path.is_dir():
            yield from ((file, path) for file in _walk(path, out))
        elif path.exists():
            if not _is_own_picture_of_a_neighbor(path):
                yield path, path.parent
        elif glob.has_magic(text):
            yield from _matches(text, out)
        else:
            raise WrongCallError(f"{shown(text)}: no such file or folder.")


def _walk(folder: Path, out: Path | None) -> Iterator[Path]:
    skipped = out.resolve() if out is not None and out.resolve() != folder.resolve() else None
    for place, folders, files in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and (skipped is None or Path(place, name).resolve() != skipped)
        )
        yield from (Path(place, name) for name in sorted(files) if _is_photograph(name))


def _matches(pattern: str, out: Path | None) -> Iterator[tuple[Path, Path]]:
    plain = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        plain.append(part)
    base = Path(*plain)
    matches = sorted(map(Path, glob.glob(pattern, recursive=True)))
    if not matches:
        raise WrongCallError(f"nothing matches '{pattern}'.")
    for path in matches:
        if path.is_dir():
            if "**" not in pattern:  # that has matched the files within already
                yield from ((file, base) for file in _walk(path, out))
        elif _is_photograph(path.name):
            yield path, base


def _refuse_unreadable(error: OSError) -> None:
    raise WrongCallError(f"{shown(error.filename)}: cannot read this folder ({error.strerror}).")


def _is_photograph(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return (
        suffix.lower() in suffixes() and not name.startswith(".") and not stem.lower().endswith(OWN)
    )


def _is_own_picture_of_a_neighbor(path: Path) -> bool:
    """As when a shell's * names scan.jpg and scan-color.jpg."""
    for end in OWN:
        if path.stem.endswith(end):
            stem = path.stem.removesuffix(end)
            scan, _, kind = stem.rpartition("-")  # scan-bmp-color.png; see `_told_apart`
            names = [stem + form for suffix in suffixes() for form in (suffix, suffix.upper())]
            if scan and f".{kind.lower()}" in suffixes():
                names.append(f"{scan}.{kind}")
            return any(path.with_name(name).exists() for name in names)
    return False


def _unique(found: Iterable[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    return list({os.path.abspath(path): (path, base) for path, base in found}.values())


def _job(
    source: Path,
    base: Path,
    out: Path | None,
    folder: bool,
    format: str | None,
    compare: bool,
    confidence: bool,
) -> Job:
    own = suffixes().get(source.suffix.lower(), "")
    if out is not None and not folder:
        kind = format_of(out.suffix)
        if format is not None and format_of(format) != kind:
            raise WrongCallError(f"--format {format} does not fit the name {out}.")
        return _with_extras(source, out, kind, out.parent, out.stem, compare, confidence)
    place = source.parent if out is None else out / source.parent.relative_to(base)
    kind = format_of(format or (own if own in KEPT else "png"))
    suffix = source.suffix if kind == own else WRITABLE[kind]
    target = place / f"{source.stem}-color{suffix}"
    return _with_extras(source, target, kind, place, source.stem, compare, confidence)


def _with_extras(
    source: Path,
    target: Path,
    kind: str,
    place: Path,
    stem: str,
    compare: bool,
    confidence: bool,
) -> Job:
    return Job(
        source,
        target,
        kind,
        place / f"{stem}-compare.jpg" if compare else None,
        place / f"{stem}-confidence.png" if confidence else None,
    )


def _told_apart(jobs: Sequence[Job]) -> list[Job]:
    """Where scan.png and scan.bmp would write one picture, the second becomes scan-bmp-color.png.

    That is: the pictures that have not the suffix of their photograph get it into their names.
    """
    writers = Counter(_key(path) for job in jobs for path in job.outputs())

    def name(path: Path, source: Path) -> Path:
        if writers[_key(path)] == 1 or path.suffix.lower() == source.suffix.lower():
            return path
        end = path.stem.removeprefix(source.stem)
        return path.with_name(f"{source.stem}-{source.suffix[1:]}{end}{path.suffix}")

    return [
        replace(
            job,
            target=name(job.target, job.source),
            compare=job.compare and name(job.compare, job.source),
            confidence=job.confidence and name(job.confidence, job.source),
        )
        for job in jobs
    ]


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    sources = {_key(job.source): job.source for job in jobs}
    writers: dict[str, Job] = {}
    for job in jobs:
        for path in job.outputs():
            key = _key(path)
            if key in sources:
                raise WrongCallError(
                    f"{shown(path)} is one of the photographs; it would be overwritten. "
                    f"Choose another name with -o."
                )
            if key in writers:
                pair = f"{shown(writers[key].source)} and {shown(job.source)}"
                raise WrongCallError(
                    f"{pair} would both write {shown(path)}. "
                    f"Give them different names, or colorize them into different folders."
                )
            writers[key] = job


def _key(path: Path) -> str:
    """Equal for two names that some file system takes for one."""
    return unicodedata.normalize("NFC", os.path.abspath(path)).casefold()
