"""Makes the packaged model viola-jones of OpenCV's cascade, in half the bytes.

    pip install '.[opencv]'
    python benchmarks/cascade.py --out src/opsin/models/weights

It writes `viola-jones.xml`, which OpenCV reads, too, and its card `viola-jones.toml`. The notice
stays, and no number is changed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path

import cv2
import msgspec

from opsin.faces.viola_jones import card_of
from opsin.models.card import CardFigure, write_card
from opsin.models.cascade import parse, write

FROM = "haarcascade_frontalface_alt2.xml"
LEARNED_FROM = (
    "Not stated by its maker (Rainer Lienhart, Intel, 2000: haarcascade_frontalface_alt2.xml of "
    "OpenCV, written in fewer bytes without a change of a number). It finds upright faces that "
    "look into the camera and knows nobody. Not to be used to decide anything about a person, "
    "nor where a missed face does harm"
)
FIGURE = "faces found in the middle of 1,324 pictures of LFW"
COMMAND = "opsin evaluate faces lfw.tar --protocol find --detector viola-jones --limit 1324"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--found", type=float, help="the card's figure")
    options = parser.parse_args()
    data = (Path(cv2.data.haarcascades) / FROM).read_bytes()
    notice = re.search(rb"<!--(.*?)-->", data, re.DOTALL).group(1).decode()
    lines = (line.rstrip() for line in notice.strip("\n").splitlines())
    cascade = parse(data, FROM)
    made = write(cascade, "\n".join(lines))
    assert parse(made, "made") == cascade
    (options.out / "viola-jones.xml").write_bytes(made)
    card = card_of(
        cascade,
        name="viola-jones",
        sha256=hashlib.sha256(made).hexdigest(),
        license="Intel License Agreement For Open Source Computer Vision Library (as BSD-3-Clause)",
        training_data=LEARNED_FROM,
    )
    if options.found is not None:
        figure = CardFigure(name=FIGURE, value=options.found, command=COMMAND)
        card = msgspec.structs.replace(card, figures=(figure,))
    write_card(card, options.out / "viola-jones.toml")


if __name__ == "__main__":
    main()
