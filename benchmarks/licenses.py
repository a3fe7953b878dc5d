"""Writes docs/licenses.md: the license of each packaged model and of every dependency.

    make licenses

A dependency's license is what its installed package states.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from opsin.models import store

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licenses.md"
LONGEST = 60  # some packages state a whole license text
HEAD = """# Licenses

opsin itself, code and weights, is Apache-2.0. This page is written by `make licenses`: what each
card and each installed package states. The package carries none of its dependencies; `pip` fetches
them. Those that pyproject.toml names are bold; the others come along with them on Linux without a
graphics card. Elsewhere a few differ: PyTorch's build for CUDA brings NVIDIA's libraries, under
NVIDIA's terms.

`pyvips-binary` holds libvips and the libraries it reads files with, under the LGPL and licenses
that go with it: it is loaded as a shared library and may be replaced.
"""


def main() -> None:
    lines = [HEAD, "## Models in the package", ""]
    lines += table(("model", "license", "learned from"), models())
    lines += ["", "## Dependencies", ""]
    lines += table(("package", "license", "needed for"), dependencies())
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def models() -> list[tuple[str, ...]]:
    cards = (store.read_card(path) for path in sorted(store.PACKAGED.glob("*.toml")))
    return [(f"`{card.name}`", card.license, card.training_data) for card in cards]


def dependencies() -> list[tuple[str, ...]]:
    """The direct ones, by what needs them, then those that come along, by name."""
    uses: dict[str, list[str]] = {}
    for needed, use in direct():
        for name in reached(needed):
            found = uses.setdefault(name, [])
            found += [use] * (use not in found)
    first = list(dict.fromkeys(canonicalize_name(needed.name) for needed, _ in direct()))
    along = sorted(uses.keys() - set(first))
    rows = [(f"**{name}**", license_of(name), ", ".join(uses[name])) for name in first]
    return rows + [(name, license_of(name), ", ".join(uses[name])) for name in along]


def direct() -> list[tuple[Requirement, str]]:
    """What pyproject.toml asks for, each with who needs it: opsin itself or an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"opsin": project["dependencies"]}
    groups |= {f"`{name}`": names for name, names in project["optional-dependencies"].items()}
    return [(Requirement(text), use) for use, group in groups.items() for text in group]


def reached(first: Requirement) -> set[str]:
    """It and all that is installed because of it."""
    found: set[str] = set()
    waiting = [first]
    while waiting:
        needed = waiting.pop()
        name = canonicalize_name(needed.name)
        package = installed(name)
        wanted = {f"{name}[{extra}]" for extra in needed.extras} | {name}
        if name == "opsin" or wanted <= found:
            continue
        found |= wanted
        for requirement in map(Requirement, (package and package.requires) or []):
            marker = requirement.marker
            if any(not marker or marker.evaluate({"extra": e}) for e in ("", *needed.extras)):
                waiting.append(requirement)
    return {name for name in found if "[" not in name}


def license_of(name: str) -> str:
    if (package := installed(name)) is None:
        return "not installed here"
    stated = package.metadata
    if expression := stated.get("License-Expression"):
        return expression
    words = stated.get("License", "").strip()
    if words and len(words) <= LONGEST and words != "UNKNOWN":
        return words
    classes = [line for line in stated.get_all("Classifier") or [] if line.startswith("License")]
    return ", ".join(line.split(" :: ")[-1] for line in classes) or first_line(package)


def first_line(package: Distribution) -> str:
    """Of the license that lies in it, where its metadata name none."""
    texts = (path.read_text() for path in package.files or [] if path.name.startswith("LICENSE"))
    return next((text.strip().splitlines()[0] for text in texts), "states none")


def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *rows)]


if __name__ == "__main__":
    main()
