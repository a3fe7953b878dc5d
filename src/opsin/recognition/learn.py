"""New classes from a few pictures of each: what a trained network sees, and a new head, in seconds.

    survey -> features, once for each picture in color and in gray -> head -> how good it is on
    pictures that were held back -> ONNX file, card and a page that shows what was learned

Where seconds are not all that there is, the layers below the head can be taught too (`finetune`).

Old photographs are gray. So half of what is learned from is gray, and the model knows both.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from opsin.defaults import CLASSIFIER
from opsin.errors import DataError, ModelError, SaveError, WrongCallError, needs_extra
from opsin.files import cache_folder, check_writable, shown
from opsin.models.card import LINE, NAME, WORDS, Card, CardFigure
from opsin.models.engine import Engine, load_engine
from opsin.models.store import PACKAGED, Model, find, refuse_existing, staging
from opsin.recognition import head as heads
from opsin.recognition import transplant
from opsin.recognition.features import check_base, features_of
from opsin.recognition.head import Floats, Head, Labels
from opsin.recognition.pipeline import softmax
from opsin.recognition.survey import Survey, doubts_about, held_back, survey
from opsin.sets.sources import Paths, listed

METHODS: Final = ("fast", "finetune")
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

    def take(self, chosen: NDArray[np.intp]) -> Shown:
        gray = None if self.gray is None else self.gray[chosen]
        return Shown(self.survey.take(chosen), self.color[chosen], gray)


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
    seconds: float


class Taught(NamedTuple):
    """A network with its new last layer, and what is told of how it came to be."""

    card: Card
    """Of the network whose features the head is on, and which is written with it."""
    engine: Engine
    head: Head
    network: bytes
    """The ONNX file."""
    curve: list[tuple[int, float]]
    how: str
    run: Path | None = None
    """The folder of the training, if it was one."""


def learn(
    data: Paths,
    folder: str | Path,
    *,
    name: str,
    test: Paths = (),
    base: str = CLASSIFIER,
    method: str = "fast",
    epochs: int | None = None,
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

    With the `method` "fast", the last layer learns; with "finetune" all layers do, `epochs` times
    over the pictures (by default from 3, of many pictures, to 15), which takes PyTorch and its
    time. Asked to stop, that raises `opsin.interrupt.Stopped`, and the same call goes on there.
    """
    if method not in METHODS:
        raise WrongCallError(f"--method {shown(method)}: write one of {', '.join(METHODS)}.")
    if epochs is not None and method == "fast":
        raise WrongCallError("--epochs goes with --method finetune; the fast one has none.")
    if not re.search(NAME, name) or len(name) > MOST_LETTERS:
        raise ModelError(
            f"a model cannot be called '{shown(name)}': a name is {WORDS[NAME]}. The folder is "
            "named with -o."
        )
    if name == "default" or (PACKAGED / f"{name}.toml").exists():
        raise ModelError(f"opsin itself has a model '{name}'. Take another --name.")
    began = time.monotonic()
    folder = Path(folder)
    files = [f"{name}.onnx", f"{name}.html", f"{name}.toml"]
    refuse_existing(folder, files, advice="Take another --name, or remove it.")
    model = find(base)
    check_base(model.card)
    if method == "finetune":
        with needs_extra("--method finetune", "train"):
            from opsin.recognition.finetune import check_backbone
        check_backbone(model.card)
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
    see = partial(_see, gray=gray, on_picture=on_picture)
    engine = load_engine(base, threads=1)
    learned = see(parts[0], engine)
    if method == "fast":
        tested = see(parts[1], engine)
        on_step("learning")
        taught = _fast(model, engine, learned, tested, seed=seed)
    else:
        runs = folder / f"{name}-run"
        taught = _finetuned(
            model, learned, runs, see, gray=gray, epochs=epochs, seed=seed, on_step=on_step
        )
        tested = see(parts[1], taught.engine)
    head = taught.head
    shares = softmax(head.logits(tested.color) / np.float32(head.temperature))
    doubts = [*found.doubts, *parts[1].doubts, *doubts_about(learned.survey, tested.survey)]
    lesson = Lesson(learned, tested, head, shares, taught.curve, doubts)
    about = f"{len(learned.color)} pictures of {len(found.classes)} classes, seed {seed}"
    card = transplant.card_with_head(
        taught.card,
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
        how=taught.how,
    )
    on_step("drawing the report")
    from opsin.recognition.lesson import page

    html = page(lesson, taught.engine, title=name).encode()
    path = transplant.write(card, taught.network, {f"{name}.html": html}, folder)
    if taught.run:
        _forget(taught.run)
    return Learned(path, folder / f"{name}.html", lesson, time.monotonic() - began)


def _see(part: Survey, engine: Engine, *, gray: bool, on_picture: Callable[[], None]) -> Shown:
    """What a network sees of pictures; those that cannot be read are left out."""
    looks = [
        features_of(part.pictures, engine, gray=one, on_picture=on_picture)
        for one in ((False, True) if gray else (False,))
    ]
    seen = [all(one is not None for one in rows) for rows in zip(*looks, strict=True)]
    there = np.flatnonzero(seen)
    stacks = [
        np.stack([one for one, whole in zip(look, seen, strict=True) if whole and one is not None])
        for look in looks
    ]
    return Shown(part.take(there), stacks[0], stacks[1] if gray else None)


def _fast(model: Model, engine: Engine, learned: Shown, tested: Shown, *, seed: int) -> Taught:
    """A new head on the features of a base."""
    features, labels, groups = learned.rows()
    head = heads.fit(features, labels, groups, seed=seed)
    test = (tested.color, tested.survey.labels)
    curve = heads.curve(features, labels, groups, head, test, seed=seed)
    network = transplant.with_head(model, head)
    return Taught(model.card, engine, head, network, curve, "new head")


def _finetuned(
    model: Model,
    learned: Shown,
    folder: Path,
    see: Callable[[Survey, Engine], Shown],
    *,
    gray: bool,
    epochs: int | None,
    seed: int,
    on_step: Callable[[str], None],
) -> Taught:
    """A base trained as a whole, from a new head on; some of what it learns from is held back, to
    see when it is at its best and how sure it may be."""
    from opsin.recognition.finetune import finetune, key_of

    rest, watched = held_back(learned.survey, seed=seed + 1)
    if not len(watched.labels):
        raise DataError(
            "too few pictures to see when all layers have learned enough. Add some, or take "
            "--method fast."
        )
    numbers = {picture: number for number, picture in enumerate(learned.survey.pictures)}
    chosen = np.array([numbers[picture] for picture in rest.pictures], np.intp)
    start = heads.fit(*learned.take(chosen).rows(), seed=seed)
    run = folder / key_of(model.card, rest, watched, gray, epochs, seed)
    on_step(f"training all layers; to see when to stop, {len(watched.labels)} pictures are left")
    tuned = finetune(
        model.card,
        start,
        rest,
        watched,
        run,
        gray=gray,
        epochs=epochs,
        seed=seed,
        on_message=on_step,
    )
    if not tuned.epochs:
        on_step("training all layers made it no better; the new head alone is kept")
    features, labels, _ = see(watched, tuned.engine).rows()
    temperature = heads.temperature_of(tuned.head.logits(features), labels)
    head = tuned.head._replace(temperature=temperature)
    how = f"all layers trained, epoch {tuned.epochs:g}" if tuned.epochs else "new head"
    card = msgspec.structs.replace(
        tuned.model.card, network=model.card.network, paper=model.card.paper
    )
    return Taught(card, tuned.engine, head, tuned.model.read(), [], how, run)


def _forget(run: Path) -> None:
    """Removes what a training kept to go on after a stop; the model is made."""
    shutil.rmtree(run, ignore_errors=True)
    with suppress(OSError):  # others lie there too
        run.parent.rmdir()


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
