"""What is written about opsin is true: its examples run, and each verb has help and a page."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import opsin

MODULES = [
    module.name
    for module in pkgutil.walk_packages(opsin.__path__, "opsin.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
