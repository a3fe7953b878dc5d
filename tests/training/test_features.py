"""What a frozen network says of crops is kept by picture and variant."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from opsin.training.features import FeatureCache  # noqa: E402


def test_each_variant_of_a_picture_has_its_own_answer(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(new: torch.Tensor) -> torch.Tensor:
        asked.append(int(new.sum()))
        return (10 * batch["number"] + batch["variant"] + 1)[new, None].float()

    for key, variants, counts in (
        ("a", [0, 1], [2]),
        ("a", [2, 1], [2, 1]),
        ("a", [0, 1], [2, 1]),
        ("b", [0, 1], [2, 1, 2]),
    ):
        cache = FeatureCache(key, pictures=2, variants=3, width=1, folder=tmp_path)
        batch = {"number": torch.tensor([0, 1]), "variant": torch.tensor(variants)}
        expected = [[variants[0] + 1.0], [11.0 + variants[1]]]
        assert cache.answers(batch, ask).tolist() == expected
        assert asked == counts
