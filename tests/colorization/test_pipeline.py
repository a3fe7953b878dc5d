from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import write_tiny_model

import opsin
from opsin.appearance import delta_e_2000
from opsin.color import light_of_pixels, rgb_to_lab
from opsin.colorization.pipeline import predict
from opsin.models.view import View


def lab(photo):
    scale = 65535 if photo.depth == 16 else 255
    return rgb_to_lab(photo.pixels.astype(np.float32) / scale)


def colorize(source, **options):
    return opsin.colorize(source, **{"model": "tiny", **options})


def test_a_photograph_gets_colors_and_keeps_its_light(models, gray_photo):
    photo = colorize(gray_photo)
    assert photo.pixels.shape == (*gray_photo.shape, 3)
    assert np.abs(lab(photo)[..., 1:]).max() > 10
    drift = np.abs(lab(photo)[..., 0] - light_of_pixels(gray_photo[..., None]))
    assert np.percentile(drift, 99.9) < 1


def test_colors_follow_the_light_as_the_tiny_model_has_it(models, gray_photo):
    result = lab(colorize(gray_photo))
    assert result[result[..., 0] > 75][:, 2].mean() > 5
    assert result[result[..., 0] < 25][:, 2].mean() < -5


@pytest.mark.parametrize(
    "shape", [(1, 1), (5, 2000), (2000, 5), (1, 300), (33, 47), (2, 2), (3, 3, 3), (40, 30, 4)]
)
def test_any_shape_works(models, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    photo = colorize(pixels)
    assert photo.pixels.shape == (*shape[:2], 3)
    assert opsin.confidence(pixels, model="tiny").shape == shape[:2]


def test_16_bits_stay_16_bits(models, gray_photo):
    deep = gray_photo.astype(np.uint16) * 257
    photo = colorize(deep)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(lab(photo) - lab(colorize(gray_photo))).max() < 1.5


def test_alpha_is_kept(models):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 2), dtype=np.uint8)
    assert np.array_equal(colorize(pixels).alpha, pixels[..., 1])


def test_the_result_says_which_model_made_it(models, gray_photo):
    assert b"tiny 1" in colorize(gray_photo).metadata.xmp


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_the_answer(models, gray_photo, threads):
    tall = np.tile(gray_photo, (4, 2))
    one, many = colorize(tall, threads=1), colorize(tall, threads=threads)
    assert np.array_equal(one.pixels, many.pixels)


def test_two_callers_at_once_get_the_answers_of_one(models, gray_photo):
    photos = [np.roll(gray_photo, shift, axis=1) for shift in range(0, 80, 10)]
    alone = [colorize(photo).pixels for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda photo: colorize(photo).pixels, photos)
        assert all(np.array_equal(*pair) for pair in zip(alone, together, strict=True))


@pytest.mark.parametrize("scale", [2, 5])
def test_the_size_of_the_photograph_does_not_change_its_colors(models, gray_photo, scale):
    small = lab(colorize(gray_photo))
    large = lab(colorize(np.kron(gray_photo, np.ones((scale, scale), np.uint8))))
    assert np.median(delta_e_2000(small, large[::scale, ::scale])) < 1


def test_color_and_sepia_are_colorized_from_their_light_with_a_note(models):
    from skimage import data

    cat = data.chelsea()
    assert colorize(cat).notes[-1] == "was in color: its own colors were left aside"
    light = cat.mean(axis=2, keepdims=True)
    sepia = (light * [1.0, 0.85, 0.65]).astype(np.uint8)
    assert "sepia" in colorize(sepia).notes[-1]
    assert colorize(cat[..., :1]).notes == ()


def test_vividness_goes_from_muted_to_saturated(models, gray_photo):
    chroma = [
        np.hypot(*np.moveaxis(lab(colorize(gray_photo, vividness=v))[..., 1:], -1, 0)).mean()
        for v in (0, 0.5, 1)
    ]
    assert chroma[0] < chroma[1] < chroma[2]


def test_a_point_gives_its_color_to_its_surroundings(models):
    scan = np.full((128, 192), 119, np.uint8)
    scan[::2] += 4
    points = [(48, 64, "#c04020"), (144, 64, (32, 64, 192))]
    result = lab(colorize(scan, points=points))
    assert result[64, 48, 1] > 20
    assert result[64, 144, 2] < -20
    assert np.abs(result[5, 96, 1:]).max() < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vividness": 1.5}, "vividness must be between 0"),
        ({"size": 10}, "size must be between 64 and 2048"),
        ({"points": [(1, 1)]}, r"a point must be \(x, y, color\), got \(1, 1\)"),
        ({"points": [(8, 0, "#000000")]}, "outside of the photograph, which has 8 x 8 pixels"),
        ({"points": [(0, 0, "red")]}, "must be '#rrggbb' or"),
        ({"points": [(0, 0, "#12345")]}, "must be '#rrggbb' or"),
        ({"points": [(0, 0, (1, 2, 300))]}, "must be '#rrggbb' or"),
    ],
)
def test_a_wrong_option_is_a_value_error(models, options, message):
    with pytest.raises(ValueError, match=message):
        colorize(np.zeros((8, 8), np.uint8), **options)


def test_a_misspelled_option_is_a_type_error(models):
    with pytest.raises(TypeError, match="vividnes"):
        colorize(np.zeros((8, 8), np.uint8), vividnes=1)


def test_a_gray_answer_is_noted(tmp_path, gray_photo):
    gray = str(write_tiny_model(tmp_path, "gray", colors=0))
    assert "got no color: the model finds none in it" in colorize(gray_photo, model=gray).notes


def test_an_empty_page_stays_gray():
    page = np.random.default_rng(1).normal(128, 0.5, (80, 60)).round().astype(np.uint8)
    done = colorize(page, model="color-bins")
    assert np.ptp(done.pixels.astype(int), axis=2).max() <= 1
    assert "got no color: the model finds none in it" in done.notes


def test_an_answer_that_is_no_number_is_an_error(tmp_path, gray_photo):
    bad = write_tiny_model(tmp_path, "bad", colors=float("nan"))
    with pytest.raises(opsin.ModelError, match="'bad' gave no finite answer"):
        colorize(gray_photo, model=str(bad))


def test_a_network_that_answers_with_ab_works_too(tmp_path, gray_photo):
    plain = str(write_tiny_model(tmp_path, "plain", answer="ab"))
    result = lab(colorize(gray_photo, model=plain))
    assert result[result[..., 0] > 75][:, 2].mean() > 5
    with pytest.raises(opsin.ModelError, match="'plain' does not say how sure it is"):
        opsin.confidence(gray_photo, model=plain)
    with pytest.raises(opsin.ModelError, match="'plain' takes no points"):
        colorize(gray_photo, model=plain, points=[(0, 0, "#ff0000")])


def test_vividness_is_a_factor_on_what_networks_answer_as_ab(tmp_path, gray_photo):
    plain = str(write_tiny_model(tmp_path, "plain", answer="ab"))
    photo = opsin.open(gray_photo)
    muted, usual, saturated = (
        predict(photo, model=plain, vividness=amount).ab for amount in (0, 0.5, 1)
    )
    assert np.hypot(*np.moveaxis(usual, -1, 0)).max() > 10
    assert muted == pytest.approx(0.6 * usual, abs=1e-4)
    assert saturated == pytest.approx(1.4 * usual, abs=1e-4)


def test_confidence_lies_where_the_photograph_has_it(models):
    scan = np.full((90, 130), 128, np.uint8)
    scan[30:60, 70:100] = 255
    sure = opsin.confidence(scan, model="tiny")
    change = np.abs(sure - np.median(sure))
    rows, columns = change.sum(axis=1) @ np.arange(90), change.sum(axis=0) @ np.arange(130)
    assert (rows / change.sum(), columns / change.sum()) == pytest.approx((44.5, 84.5), abs=1)


def test_confidence_is_what_entropy_leaves(models, gray_photo):
    photo = opsin.open(gray_photo)
    entropy = predict(photo, model="tiny").entropy
    sure = opsin.confidence(photo, model="tiny")
    assert entropy.mean() < 0.45 or entropy.mean() > 0.55
    assert sure.mean() == pytest.approx(1 - entropy.mean(), abs=0.01)


def test_confidence_lies_between_0_and_1(models, gray_photo):
    sure = opsin.confidence(gray_photo, model="tiny")
    assert sure.dtype == np.float32
    assert 0 <= sure.min() <= sure.max() <= 1


@pytest.mark.parametrize(
    ("photo", "network"),
    [
        ((256, 256), (256, 256)),
        ((6000, 4000), (384, 256)),
        ((30, 40), (256, 341)),
        ((5, 2000), (5, 2048)),
    ],
)
def test_the_network_sees_the_photograph_unsquashed(photo, network):
    assert View.of(*photo, 256).seen == network
