"""New classes from a few pictures of each, in seconds: what a trained network sees, and a new head.

    survey -> features, once for each picture in color and in gray -> head -> how good it is on
    pictures that were held back -> ONNX file, card and a page that shows what was learned

Old photographs are gray. So half of what is learned from is gray, and the model knows both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from opsin.defaults import CLASSIFIER
from opsin.errors import DataError, ModelError, SaveError
from opsin.files import cache_folder, check_writable, shown
from opsin.models.card import LINE, NAME, WORDS, CardFigure
from opsin.models.engine import load_engine
from opsin.models.store import PACKAGED, find, refuse_existing, staging
from opsin.recognition import head as heads
from opsin.recognition import transplant
from opsin.recognition.features import check_base, features_of
from opsin.recognition.head import Floats, Head, Labels
from opsin.recognition.pipeline import softmax
from opsin.recognition.survey import Survey, doubts_about, held_back, survey
from opsin.sets.sources import Paths, listed

MOST_LETTERS: Final = 64  # of a model's name


@dataclass(frozen=True, eq=False)
class Shown:
    """Pictures with their features, in color and, if they were asked for, in gray."""

    survey: Survey
    color: Floats
    """(N, D)."""
    gray: Floats | None

    def rows(self) -> tuple[Floats, Labels, Any]:
        """Features to learn from, their labels, and which rows are one picture."""
        numbers = np.arange(len(self.color))
        if self.gray is None:
            return self.color, self.survey.labels, numbers
        both = np.concatenate([self.color, self.gray])
        return both, np.tile(self.survey.labels, 2), np.tile(numbers, 2)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What was learned, and how good it is on pictures that were held back."""

    learned: Shown
    test: Shown
    head: Head
    probabilities: Floats
    """(N, n) of the test pictures, in color."""
    curve: list[tuple[int, float]]
    doubts: list[str]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.learned.survey.classes

    @property
    def right(self) -> Any:
        """(N,) whether the likeliest class of each test picture is its own."""
        return self.probabilities.argmax(axis=1) == self.test.survey.labels

    def gray_accuracy(self) -> float | None:
        """The share of test pictures that is right when they are made gray."""
        if self.test.gray is None:
            return None
        found = self.head.logits(self.test.gray).argmax(axis=1)
        return float((found == self.test.survey.labels).mean())

    def recalls(self) -> Floats:
        """(n,) of each class, the share that is found; nan where the test has none of it."""
        with np.errstate(invalid="ignore"):
            table = self.confusion()
            return np.asarray(table.diagonal() / table.sum(axis=1), np.float32)

    def confusion(self) -> Any:
        """(n, n): how many of the class of the row were given the name of the column."""
        count = len(self.classes)
        pairs = self.test.survey.labels * count + self.probabilities.argmax(axis=1)
        return np.bincount(pairs, minlength=count**2).reshape(count, count)


@dataclass(frozen=True)
class Learned:
    """The files of a model that was learned."""

    card: Path
    report: Path
    lesson: Lesson


def learn(
    data: Paths,
    folder: str | Path,
    *,
    name: str,
    test: Paths = (),
    base: str = CLASSIFIER,
    gray: bool = True,
    license: str = "",
    seed: int = 1,
    on_step: Callable[[str], None] = lambda text: None,
    on_picture: Callable[[], None] = lambda: None,
) -> Learned:
    """A model of the classes in `data`, written into `folder` with its card and a report.

    `data` are folders, tars or splits with a folder for each class. `test` are pictures to judge
    by; without it a fifth of each class is held back, by `seed`. `base` names a classifier with
    features. With `gray`, it also learns from the pictures made gray. `on_step` is told in words
    what happens, `on_picture` is called for each picture. Pictures that do not do are a `DataError`
    before any work, a model that exists is a `ModelError`.
    """
    if not re.search(NAME, name) or len(name) > MOST_LETTERS:
        raise ModelError(
            f"a model cannot be called '{shown(name)}': a name is {WORDS[NAME]}. The folder is "
            "named with -o."
        )
    if name == "default" or (PACKAGED / f"{name}.toml").exists():
        raise ModelError(f"opsin itself has a model '{name}'. Take another --name.")
    folder = Path(folder)
    files = [f"{name}.onnx", f"{name}.html", f"{name}.toml"]
    refuse_existing(folder, files, advice="Take another --name, or remove it.")
    model = find(base)
    check_base(model.card)
    found = survey(data)
    _check_labels(found.classes)
    with staging(folder):
        pass  # so that a folder that cannot be written to is told before anything is learned
    if trouble := _no_cache():
        on_step(f"going on without what was kept: {trouble}")
    on_step(f"{len(found.pictures)} pictures of {len(found.classes)} classes")
    paths = listed(test)
    parts = (found, survey(paths, found.classes)) if paths else held_back(found, seed=seed)
    if not len(parts[1].labels):
        raise DataError(
            "no picture is left to test on: all are there twice. Name some with --test."
        )
    engine = load_engine(base, threads=1)

    def see(part: Survey) -> Shown:
        looks = [
            features_of(part.pictures, engine, gray=one, on_picture=on_picture)
            for one in ((False, True) if gray else (False,))
        ]
        seen = [all(one is not None for one in rows) for rows in zip(*looks, strict=True)]
        there = np.flatnonzero(seen)
        stacks = [
            np.stack(
                [one for one, whole in zip(look, seen, strict=True) if whole and one is not None]
            )
            for look in looks
        ]
        return Shown(part.take(there), stacks[0], stacks[1] if gray else None)

    learned, tested = see(parts[0]), see(parts[1])
    features, labels, groups = learned.rows()
    on_step("learning")
    head = heads.fit(features, labels, groups, seed=seed)
    probabilities = softmax(head.logits(tested.color) / np.float32(head.temperature))
    points = heads.curve(
        features, labels, groups, head, (tested.color, tested.survey.labels), seed=seed
    )
    doubts = [*found.doubts, *parts[1].doubts, *doubts_about(learned.survey, tested.survey)]
    lesson = Lesson(learned, tested, head, probabilities, points, doubts)
    about = f"{len(learned.color)} pictures of {len(found.classes)} classes, seed {seed}"
    card = transplant.card_with_head(
        model.card,
        head,
        name=name,
        labels=found.classes,
        license=license or f"not stated; of what it builds on: {model.card.license}",
        training_data=f"{about}; before: {model.card.training_data}"[:1000],
        figures=(
            CardFigure(
                name=f"accuracy on {len(tested.color)} pictures that it did not learn from",
                value=float(lesson.right.mean()),
                command="opsin learn " + " ".join(shown(str(path)) for path in listed(data)),
            ),
        ),
    )
    on_step("drawing the report")
    from opsin.recognition.lesson import page

    network = transplant.with_head(model, head)
    html = page(lesson, engine, title=name).encode()
    path = transplant.write(card, network, {f"{name}.html": html}, folder)
    return Learned(path, folder / f"{name}.html", lesson)


def _check_labels(classes: Sequence[str]) -> None:
    for name in classes:
        if not re.search(LINE, name):
            raise DataError(
                f"a class cannot be called '{shown(name)}': its name must be {WORDS[LINE]}. "
                "Rename its folder."
            )


def _no_cache() -> str:
    """Why nothing can be kept, if so."""
    try:
        for name in ("looks", "features"):
            check_writable(cache_folder(name))
    except SaveError as error:
        return str(error)
    return ""
