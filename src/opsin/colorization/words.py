"""What a person says of colors in words: "red dress, blue sky, brown horse".

The whole grammar: wishes with commas between them, each a color and then a thing,

    COLOR THING[, COLOR THING]...

where COLOR is a name (`color_names`) or "#rrggbb" and THING one of `meanings`. Capitals, "the" and
"a", hyphens and the plural do not matter. Nothing else is understood: no "of the", no "left", no
"not". What is not understood is an error that says what could be said.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from opsin.colorization.color_names import english, is_color, near_names
from opsin.defaults import OBJECTS
from opsin.files import shown
from opsin.models.store import find

MOST: Final = 20  # wishes at once
CLOTHES: Final = ("dress", "coat", "shirt", "trousers", "skirt", "hat", "shoes")

SEEN: Final[dict[str, tuple[str, ...]]] = {
    "sky": ("sky",),
    "leaves": ("leaves",),
    "grass": ("grass",),
    "plants": ("leaves", "grass", "flowers"),
    "flowers": ("flowers",),
    "water": ("water",),
    "wood": ("wood",),
    "furniture": ("furniture", "wood"),
    "wall": ("wall",),
    "building": ("building",),
    "ground": ("ground",),
    "floor": ("floor",),
    "snow": ("snow",),
    "mountain": ("mountain",),
    "skin": ("skin",),
    "hair": ("hair",),
    "clothes": CLOTHES,
    "dress": ("dress", "skirt", "coat", "shirt"),
    "coat": ("coat", "shirt", "dress"),
    "shirt": ("shirt", "coat", "dress"),
    "trousers": ("trousers",),
    "skirt": ("skirt", "dress"),
    "hat": ("hat",),
    "shoes": ("shoes",),
    "animal": ("animal",),
    "vehicle": ("vehicle",),
}
"""What `opsin.colorization.things` tells, in its own names, the thing's own first. What is worn
above the knees is told badly: a coat alone may be what looks like a shirt."""

CALLED: Final = {
    "leaves": "leaf, tree, bush, hedge, foliage, forest, blätter, laub, baum, bäume, busch, wald",
    "grass": "lawn, meadow, field, gras, wiese, rasen, feld",
    "plants": "plant, greenery, vegetation, garden, pflanzen, garten",
    "flowers": "flower, blossom, blumen, blume, blüten",
    "sky": "himmel",
    "water": "sea, lake, river, ocean, pond, wasser, meer, see, fluss",
    "wood": "wooden, timber, holz",
    "furniture": "möbel",
    "wall": "wand, mauer",
    "building": "house, facade, church, haus, häuser, gebäude",
    "ground": "road, street, path, sand, earth, soil, pavement, beach, boden, straße, weg, strand",
    "floor": "carpet, fußboden, teppich",
    "snow": "ice, schnee, eis",
    "mountain": "rock, stone, hill, berg, berge, felsen, fels",
    "skin": "face, hand, arm, haut, gesicht, gesichter, hände",
    "hair": "beard, haar, haare, bart",
    "clothes": "clothing, garment, uniform, costume, kleidung, kleider",
    "dress": "gown, frock, kleid",
    "coat": "jacket, suit, blazer, cloak, mantel, jacke, anzug",
    "shirt": "blouse, sweater, top, vest, pullover, t shirt, hemd, bluse, weste",
    "trousers": "pants, jeans, shorts, breeches, hose",
    "skirt": "apron",
    "hat": "cap, bonnet, helmet, hut, mütze",
    "shoes": "shoe, boot, schuhe, stiefel",
    "animal": "tier, tiere",
    "vehicle": "fahrzeug",
    "person": "man, woman, child, boy, girl, people, men, women, mensch, mann, frau, kind",
    "bicycle": "bike, fahrrad",
    "car": "automobile, auto",
    "motorcycle": "motorbike, motorrad",
    "airplane": "plane, aeroplane, flugzeug",
    "train": "locomotive, zug, lokomotive",
    "truck": "lorry, lastwagen",
    "boat": "ship, boot, schiff",
    "bench": "bank",
    "bird": "vogel, vögel",
    "cat": "katze",
    "dog": "hund",
    "horse": "pferd, pferde",
    "sheep": "lamb, schaf, schafe",
    "cow": "bull, ox, cattle, kuh, kühe",
    "umbrella": "parasol, schirm",
    "handbag": "bag, purse, tasche",
    "tie": "necktie, krawatte",
    "suitcase": "trunk, koffer",
    "bottle": "flasche",
    "cup": "mug, tasse",
    "bowl": "schüssel",
    "chair": "stool, armchair, stuhl, sessel",
    "couch": "sofa, settee",
    "bed": "bett",
    "dining table": "table, desk, tisch",
    "potted plant": "pot, topfpflanze",
    "tv": "television, fernseher",
    "book": "buch, bücher",
    "clock": "uhr",
}
"""Other words for the same, in English and German."""


class Wish(NamedTuple):
    """A thing, and the color that it is to have."""

    color: str
    """A name of `color_names`, or "#rrggbb"."""
    thing: str
    """Of `SEEN`, or of what the detector finds."""
    text: str
    """As it was said."""


def wishes_of(text: str) -> tuple[Wish, ...]:
    """What is wished for in words, see above; a `ValueError` where it is not understood.

    >>> [(one.color, one.thing) for one in wishes_of("red dresses, dunkelblauer Himmel")]
    [('red', 'dress'), ('dark blue', 'sky')]
    """
    parts = [" ".join(part.replace("-", " ").split()) for part in text.split(",")]
    if not all(parts):
        raise ValueError(
            f"words '{shown(text)}': write COLOR THING, several with commas, "
            "as in red dress, blue sky."
        )
    if len(parts) > MOST:
        raise ValueError(f"words: at most {MOST} wishes, got {len(parts)}.")
    return tuple(map(_wish, parts))


def _wish(text: str) -> Wish:
    """One color and one thing."""
    words = [word for word in text.lower().split() if word not in ("the", "a", "an")]
    for start in range(1, len(words)):  # the longest name of a thing: wine glass, not glass
        color, thing = " ".join(words[:start]), thing_of(" ".join(words[start:]))
        if thing and is_color(color):
            return Wish(color if color.startswith("#") else english(color), thing, text)
    raise ValueError(f"words '{shown(text)}': {_what_is_wrong(words)}")


def thing_of(word: str) -> str | None:
    """The thing that a word means, in one of its forms; None if it is not known."""
    for form in (word, word.removesuffix("s"), word.removesuffix("es")):
        if form in meanings():
            return meanings()[form]
    return None


def _what_is_wrong(words: list[str]) -> str:
    """What of a wish is not understood, and what could be said."""
    *color, thing = words or [""]
    if not color:
        return "write a color and a thing, as in red dress."
    if not thing_of(thing):
        near = difflib.get_close_matches(thing, meanings(), 3)
        hint = f"Did you mean {', '.join(near)}? " if near else ""
        return (
            f"'{shown(thing)}' is no thing that can be found. {hint}There are {', '.join(SEEN)}, "
            f"and what opsin detect finds: person, horse, car, chair, umbrella and so on."
        )
    if any(map(thing_of, color)):
        return "one color and one thing is all that is understood, with a comma before the next."
    near = near_names(" ".join(color))
    hint = f"Did you mean {', '.join(near)}? " if near else ""
    return (
        f"'{shown(' '.join(color))}' is no color that is known. {hint}Say red, dark green, light "
        "blue and such, or #RRGGBB."
    )


@cache
def meanings() -> Mapping[str, str]:
    """Each word for a thing, and the thing: of `SEEN`, or one of the detector's labels."""
    labels = find(OBJECTS).card.labels
    others = {word: one for one, said in CALLED.items() for word in said.split(", ")}
    return {**{one: one for one in (*labels, *SEEN)}, **others}
