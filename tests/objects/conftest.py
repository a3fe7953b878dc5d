"""What tests of detectors share: a small set of pictures with boxes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data


@pytest.fixture(scope="session")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of a cat or a cup, pasted somewhere on gravel, with their instances.json."""
    folder = tmp_path_factory.mktemp("things")
    rng = np.random.default_rng(1)
    images, annotations = [], []
    for number in range(1, 9):
        kind = number % 2
        thing = (data.coffee()[60:360, 130:480], data.chelsea()[20:280, 60:340])[kind]
        paper = np.repeat(data.gravel()[:200, :260, None] // 2 + 60, 3, axis=2).astype(np.uint8)
        width, height = (int(one) for one in rng.integers(90, 150, 2))
        x, y = int(rng.integers(0, 260 - width)), int(rng.integers(0, 200 - height))
        paper[y : y + height, x : x + width] = Image.fromarray(thing).resize((width, height))
        Image.fromarray(paper).save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 260, "height": 200})
        place = {"id": number, "image_id": number, "category_id": 1 + kind}
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        annotations.append({**place, "bbox": [x, y, width, height], "segmentation": [corners]})
    names = [{"id": 1, "name": "cup"}, {"id": 2, "name": "cat"}]
    table = {"images": images, "annotations": annotations, "categories": names}
    (folder / "instances.json").write_text(json.dumps(table))
    every = [image["file_name"] for image in images]
    splits = {"train": every, "same": every, "few": every[:2]}
    (folder / "splits.json").write_text(json.dumps(splits))
    return folder
