from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from page.asking import Browser


@pytest.fixture(autouse=True)
def _no_models_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPSIN_MODELS", str(tmp_path / "models"))


@pytest.fixture
def browser() -> Iterator[Browser]:
    """One with a session, at a server of its own."""
    found = Browser()
    with found.client:
        assert found.begin().status_code == 200
        yield found
