from __future__ import annotations

from collections.abc import Iterator

import pytest

from page.asking import Browser


@pytest.fixture
def browser() -> Iterator[Browser]:
    """One with a session, at a server of its own."""
    found = Browser()
    with found.client:
        assert found.begin().status_code == 200
        yield found
