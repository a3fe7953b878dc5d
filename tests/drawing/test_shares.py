"""Curves of one share over another."""

from __future__ import annotations

import re

from opsin.drawing.shares import share_curves


def test_a_curve_goes_to_the_right_and_up() -> None:
    """As far as the words at the axes say."""
    drawn = share_curves({"a": [(0, 0.25), (1, 0.75)]}, across="x", up="y", dots=True)
    ticks = {text: y for y, text in re.findall(r'class="y" x="[^"]*" y="([^"]*)">(\d+%)', drawn)}
    words = {text: x for x, text in re.findall(r'class="x" x="([^"]*)" y="[^"]*">(\d+%)', drawn)}
    dots = re.findall(r'<circle [^>]*cx="([^"]*)" cy="([^"]*)"[^>]*><title>a: ([^<]*)<', drawn)
    assert dots == [
        (words["0%"], ticks["25%"], "0.0%, 25.0%"),
        (words["100%"], ticks["75%"], "100.0%, 75.0%"),
    ]
    assert float(words["0%"]) < float(words["100%"])
    assert float(ticks["0%"]) > float(ticks["100%"])
