"""A colored copy is made again from what it says of itself."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import opsin
from opsin.appearance import delta_e_2000
from opsin.cli import main
from opsin.color import rgb_to_lab
from opsin.colorization.again import FROM_COPY, OTHER_NETWORK, OTHER_PHOTOGRAPH
from opsin.colorization.request import Request, plain_points, point_of, points_in, request_of
from opsin.errors import PhotoError, WrongCallError
from opsin.formats import xmp
from opsin.photo import made_by_opsin

CAT = Path(__file__).parents[2] / "samples" / "cat.jpg"
POINTS = [(100, 60, "#3050a0"), (40.5, 200, (160, 48, 32))]


@pytest.fixture
def cat(tmp_path):
    return Path(shutil.copy(CAT, tmp_path / "Katze ä.jpg"))


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tif"])
def test_the_same_picture_comes_of_it(cat, format):
    copy = cat.with_name(f"x-color.{format}")
    opsin.colorize(opsin.open(cat), vividness=0.9, size=192, points=POINTS).save(copy)
    done = opsin.again(copy)
    done.save(again := cat.with_name(f"x-again.{format}"))
    assert np.array_equal(opsin.open(again).pixels, opsin.open(copy).pixels)
    assert done.notes == ()


def test_without_the_photograph_its_lightness_is_the_copys(cat):
    copy = cat.with_name("c.png")
    before = opsin.colorize(opsin.open(cat), points=POINTS[:1])
    before.save(copy)
    cat.unlink()
    done = opsin.again(copy)
    assert done.notes == (FROM_COPY,)
    both = [rgb_to_lab(one.pixels.astype(np.float32) / 255) for one in (before, done)]
    assert float(np.median(delta_e_2000(*both))) < 0.5


def test_a_photograph_of_the_same_name_that_is_another_is_not_taken(cat):
    copy = cat.with_name("c.png")
    opsin.colorize(opsin.open(cat)).save(copy)
    shutil.copy(CAT.with_name("coffee.jpg"), cat)
    done = opsin.again(copy)
    assert done.notes == (FROM_COPY,)
    assert done.pixels.shape == opsin.open(copy).pixels.shape


def test_what_is_given_takes_the_place_of_what_was_asked(cat):
    copy = cat.with_name("c.png")
    opsin.colorize(opsin.open(cat), vividness=0.1, points=POINTS).save(copy)
    wanted = opsin.colorize(opsin.open(cat), vividness=1.0)
    assert np.array_equal(opsin.again(copy, vividness=1.0, points=[]).pixels, wanted.pixels)


def test_another_network_of_the_same_name_is_told(cat):
    copy = cat.with_name("c.png")
    opsin.colorize(opsin.open(cat)).save(copy)
    photo = opsin.open(copy)
    packet = photo.metadata.xmp
    own = json.loads(xmp.value(packet, xmp.OPSIN, "Request"))["networks"][0].encode()
    object.__setattr__(photo.metadata, "xmp", packet.replace(own, b"0" * 16))
    photo.save(copy)
    assert opsin.again(copy).notes == (OTHER_NETWORK,)


def test_a_picture_that_does_not_say_how_it_was_made(cat):
    with pytest.raises(PhotoError, match="does not say how it was made"):
        opsin.again(cat)


def test_a_copy_of_a_palette_that_is_none(cat, capsys):
    photo, request = opsin.open(cat), '{"model": "default", "palette": [0.1, 0.2]}'
    copy = made_by_opsin(photo, photo.pixels, model="x", version="1", request=request)
    copy.save(path := cat.with_name("c.png"))
    assert main(["again", str(path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"opsin: {path}: how it was made cannot be understood (palette must be")
    assert told.count("\n") == 1


def test_a_copy_made_again_can_be_made_again(cat):
    copy, second = cat.with_name("c.png"), cat.with_name("d.png")
    opsin.colorize(opsin.open(cat), vividness=0.8).save(copy)
    opsin.again(copy).save(second)
    assert np.array_equal(opsin.again(second).pixels, opsin.open(copy).pixels)


def test_the_verb(cat, capsys):
    copy = cat.with_name("c-color.jpg")
    opsin.colorize(opsin.open(cat), vividness=0.2).save(copy)
    assert main(["again", str(copy), "--vividness", "0.8", "--point", "100,60,#3050a0"]) == 0
    target = cat.with_name("c-color-again.jpg")
    asked = request_of(xmp.value(opsin.open(target).metadata.xmp, xmp.OPSIN, "Request"))
    assert (asked.vividness, asked.points) == (0.8, ((100.0, 60.0, "#3050a0"),))
    assert main(["again", str(copy)]) == 1
    assert "already there" in capsys.readouterr().err
    assert main(["again", str(copy), str(cat), "--overwrite"]) == 1
    told = capsys.readouterr()
    assert "c-color-again.jpg written" in told.out
    assert told.err.count("Katze ä.jpg") == 1


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,red", "1,2,#fffff", "1,2,#ffffff,3", "nan,1,#ffffff"]
)
def test_points_that_are_none(text):
    with pytest.raises(WrongCallError, match="write X,Y,#RRGGBB"):
        point_of(text)


def test_points_in_a_file(tmp_path):
    file = tmp_path / "p.json"
    file.write_text('[[1, 2.5, "#ffffff"], {"x": 3, "y": 4, "color": "#000000"}]')
    assert points_in(file) == [(1, 2.5, "#ffffff"), (3, 4, "#000000")]
    file.write_text('{"points": [[1, 2, "#a0b0c0"]]}')
    assert points_in(file) == [(1, 2, "#a0b0c0")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "as JSON"),
        ("[" * 100_000, "as JSON"),
        ("3", "a list of points"),
        ('[[1, 2, "#ffffff"], [1, 2]]', "point 2: write"),
        ('[{"x": 1, "y": 2}]', "point 1: write"),
        ('[[1, 2, "blue"]]', "point 1: write"),
    ],
)
def test_files_that_hold_no_points(tmp_path, text, told):
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(WrongCallError, match=told):
        points_in(file)


@given(
    st.builds(
        Request,
        model=st.from_regex(r"[a-z][a-z0-9,-]{0,20}", fullmatch=True),
        vividness=st.floats(0, 1),
        size=st.none() | st.integers(64, 2048),
        points=st.lists(
            st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.tuples(*[st.integers(0, 255)] * 3)),
            max_size=5,
        ).map(plain_points),
    )
)
def test_a_request_goes_through_xmp_and_back(asked):
    packet = xmp.with_provenance(
        None, source=None, model="m", version="1", fingerprint="0", request=asked.text()
    )
    assert request_of(xmp.value(packet, xmp.OPSIN, "Request")) == asked


def test_points_on_the_command_line_are_those_in_python(cat, capsys):
    file = cat.with_name("p.json")
    file.write_text('[[40, 200, "#a03020"]]')
    call = ["colorize", str(cat), "--point", "100,60,#3050a0", "--points", str(file)]
    assert main([*call, "-o", str(copy := cat.with_name("c.png"))]) == 0
    wanted = opsin.colorize(opsin.open(cat), points=[(100, 60, "#3050a0"), (40, 200, "#a03020")])
    assert np.array_equal(opsin.open(copy).pixels, wanted.pixels)
    assert main(["colorize", str(cat), "--point", "9999,1,#ffffff", "-o", "y.png"]) == 1
    assert "outside of the photograph" in capsys.readouterr().err
    other = shutil.copy(cat, cat.with_name("b.jpg"))
    assert main(["colorize", str(cat), str(other), "--point", "1,1,#ffffff"]) == 2
    assert "are for one photograph" in capsys.readouterr().err


def test_the_photograph_is_never_written_to(cat, capsys):
    copy, link = cat.with_name("c.jpg"), cat.with_name("link.jpg")
    opsin.colorize(opsin.open(cat)).save(copy)
    link.symlink_to(cat)
    before = cat.read_bytes()
    other = Path(shutil.copy(CAT.with_name("coffee.jpg"), cat.with_name("other.jpg")))
    for target in (cat, link, other):
        assert main(["again", str(copy), "-o", str(target), "--overwrite"]) == 1
        assert "was not colored by opsin, and stays as it is" in capsys.readouterr().err
    assert cat.read_bytes() == before
    assert other.read_bytes() == CAT.with_name("coffee.jpg").read_bytes()
    assert main(["again", str(copy), "-o", str(copy), "--overwrite"]) == 0


def test_a_photograph_that_is_given_and_is_another_is_told(cat):
    copy = cat.with_name("c.png")
    opsin.colorize(opsin.open(cat)).save(copy)
    assert opsin.again(copy, original=cat).notes == ()
    other = CAT.with_name("coffee.jpg")
    assert opsin.again(copy, original=other).notes == (OTHER_PHOTOGRAPH,)
