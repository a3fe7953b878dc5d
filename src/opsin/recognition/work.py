"""Classifying as work upon one photograph of many; see `opsin.work`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opsin.defaults import CLASSIFIER, PIXEL_LIMIT, TOP
from opsin.work import Made


@dataclass(frozen=True)
class Classifying:
    """How each photograph is done: the words and defaults of `opsin.classify`."""

    model: str = CLASSIFIER
    top: int = TOP
    second_look: bool | None = None
    pixel_limit: int = PIXEL_LIMIT
    damaged: bool = False
    device: str = "cpu"

    def load(self, *, threads: int) -> None:
        from opsin.models.engine import load_engine
        from opsin.models.store import members
        from opsin.recognition.pipeline import labels_of

        engines = [
            load_engine(name, threads=threads, device=self.device) for name in members(self.model)
        ]
        labels_of([engine.card for engine in engines])

    def told(self) -> str:
        """All that the names depend on, in words: the models, the beginning of the hash of each
        one's file, and whether it looks twice at gray photographs."""
        from opsin.models.store import find, members
        from opsin.recognition.pipeline import labels_of, table_of

        cards = [find(name).card for name in members(self.model)]
        labels_of(cards)
        words = []
        for card in cards:
            own = table_of(card).second_look
            twice = own if self.second_look is None else self.second_look
            look = " with a second look" if twice else ""
            words.append(f"{card.name} {card.sha256[:8]}{look}")
        return " and ".join(words)

    def do(
        self, source: Any, *, wanted: Mapping[str, str], there: Mapping[str, Any], threads: int
    ) -> Made:
        """Its part is {"classes": [{"name", "probability"}, ...]}; its one file is "explain", see
        `opsin.recognition.explain`."""
        from opsin.photo import open as open_photo
        from opsin.recognition.pipeline import classify

        photo = open_photo(source, pixel_limit=self.pixel_limit, damaged=self.damaged)
        found = classify(
            photo,
            model=self.model,
            second_look=self.second_look,
            threads=threads,
            device=self.device,
        )
        files: dict[str, bytes] = {}
        if "explain" in wanted:
            from opsin.recognition.explain import explained

            drawn = explained(photo, found, model=self.model, threads=threads, device=self.device)
            files["explain"] = drawn.encode("png")
        return Made(files, photo.metadata.notes, {"classes": found.document(self.top)})
