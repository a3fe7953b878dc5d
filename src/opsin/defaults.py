"""What is meant where nobody says otherwise: the same in Python and on the command line."""

from __future__ import annotations

from typing import Final

VIVIDNESS: Final = 0.5
"""From 0, muted, to 1, saturated."""

STRENGTH: Final = 1.0
"""How much a palette counts, from 0 to 1."""

MATCHING: Final = 1.0
"""How much of a reference's colors places get that look like some of its places, from 0 to 1."""

MOST_SAMPLES: Final = 16
"""Answers for one photograph."""

QUALITY: Final = 90
"""Of JPEG, WebP and AVIF, from 1 to 100."""

PIXEL_LIMIT: Final = 250_000_000
"""Photographs with more pixels are not opened."""

CELL: Final = 300
"""Pixels of the longer side of a picture on a sheet."""

ROWS: Final = 12
"""Photographs on a page of a sheet."""

SIZES: Final = (64, 2048)
"""What the short side of the picture that a network sees may be."""

CLASSIFIER: Final = "imagenet"
"""The model that names what is on a photograph."""

TOP: Final = 5
"""How many names are told, the likeliest."""

DETECTOR: Final = "yunet"
"""The model that finds faces."""

OBJECTS: Final = "picodet-s"
"""The model that finds things."""

ACCURATE: Final = ("picodet-s", "yolox-nano")
"""The models that find them together, the one whose labels are told first."""

MASKS: Final = "box-mask,selfie"
"""The models that tell together which pixels of a thing's box are the thing."""

FILM_MASKS: Final = "selfie"
"""The same on videos: it takes less than half of the time, and sees when somebody has left."""

PERSON: Final = 0.3
"""The least score of a person who is cut out: to miss one is worse than to look once too often."""

SURER_PERSON: Final = 0.2
"""The same of what the models of `ACCURATE` tell together."""

LEVELS: Final = 1
"""How often a large photograph is halved to look for small things in tiles."""

MOST_LEVELS: Final = 5
"""The most that can be asked for; each takes four times as long as the one before."""

RECOGNIZER: Final = "face-reid"
"""The model that tells faces apart."""

MIN_FACE: Final = 15
"""Pixels of the photograph: narrower faces are not looked for."""

CROP_MARGIN: Final = 0.3
"""What a crop shows around a face on each side, as a share of the face's longer side."""

GENDER: Final = "gender"
"""The model that tells gender from a face."""
