"""The models that are shipped: they are whole, small, and color real photographs sensibly.

The bounds are loose: they hold for any model that is fit to be the default, so a new one needs no
new figures here. Its own figures are on its card and in docs/experiments.md.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import opsin
from opsin.appearance import delta_e_2000
from opsin.color import rgb_to_lab, rgb_to_light
from opsin.models import store


def gray_of(rgb: np.ndarray) -> np.ndarray:
    """The 8-bit gray picture with the lightness of a color one."""
    from opsin.color import pixels_of_lab

    light = rgb_to_light(rgb.astype(np.float32) / 255)
    return np.asarray(pixels_of_lab(light, np.zeros((*light.shape, 2), np.float32), np.uint8))


def lab(pixels: np.ndarray) -> np.ndarray:
    return rgb_to_lab(pixels.astype(np.float32) / 255)


SHIPPED = sorted(path.stem for path in store.PACKAGED.glob("*.toml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_is_small_and_has_figures(name: str) -> None:
    model = store.find(name)
    assert len(model.read()) <= 12_000_000
    assert model.card.figures
    assert model.card.training_data


@pytest.mark.parametrize(
    "name", [name for name in SHIPPED if store.find(name).card.task == "colorize"]
)
def test_is_nearer_to_the_truth_than_gray(coffee: np.ndarray, name: str) -> None:
    gray = gray_of(coffee)
    colored = opsin.colorize(gray[..., 0], model=name, vividness=0).pixels
    true = lab(coffee)
    assert delta_e_2000(lab(colored), true).mean() < delta_e_2000(lab(gray), true).mean()


def test_skin_is_of_the_color_of_skin(astronaut: np.ndarray) -> None:
    colored = lab(opsin.colorize(gray_of(astronaut)[..., 0]).pixels)
    _, a, b = colored[110:160, 200:250].reshape(-1, 3).mean(axis=0)  # a cheek
    assert 4 < a < 40
    assert 4 < b < 45


def test_more_vividness_is_more_chroma(coffee: np.ndarray) -> None:
    gray = gray_of(coffee)[..., 0]
    chroma = [
        np.hypot(*np.moveaxis(lab(opsin.colorize(gray, vividness=v).pixels)[..., 1:], -1, 0)).mean()
        for v in (0, 0.5, 1)
    ]
    assert chroma[0] < chroma[1] < chroma[2]


@pytest.mark.parametrize(("color", "axis"), [("#3050b0", 2), ("#30963c", 1)])
def test_a_point_pulls_its_surroundings_toward_its_color(
    coffee: np.ndarray, color: str, axis: int
) -> None:
    gray = gray_of(coffee)[..., 0]
    spot = (slice(258, 272), slice(128, 142))  # on the saucer, which is reddish brown
    plain, hinted = (
        lab(opsin.colorize(gray, points=points).pixels)[spot][..., axis].mean()
        for points in ((), ((135, 265, color),))
    )
    assert hinted < plain - 5  # less yellow for blue, less red for green


def test_lightness_is_kept(astronaut: np.ndarray) -> None:
    gray = gray_of(astronaut)
    colored = opsin.colorize(gray[..., 0], vividness=1).pixels
    assert np.abs(lab(colored)[..., 0] - lab(gray)[..., 0]).max() <= 0.5


def test_two_threads_get_the_same_answers_as_one(astronaut: np.ndarray, coffee: np.ndarray) -> None:
    photos = [gray_of(astronaut)[..., 0], gray_of(coffee)[..., 0]] * 3
    one = [opsin.colorize(photo).pixels for photo in photos]
    with ThreadPoolExecutor(2) as pool:
        two = list(pool.map(lambda photo: opsin.colorize(photo).pixels, photos))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
