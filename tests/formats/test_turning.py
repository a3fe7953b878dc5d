"""Names stay on their faces when a photograph is turned upright and saved."""

import io

import numpy as np
import pytest
from PIL import Image
from xmp_packets import CIRCLE as CIRCLE_OF_IPTC
from xmp_packets import (
    MICROSOFT,
    POLYGON,
    RECTANGLE,
    RECTANGLE_PIXELS,
    mwg,
    packet,
    region,
)

import opsin
from opsin.formats import splice
from opsin.formats.regions import Frame, read_names
from opsin.formats.turning import with_regions_upright

ELEMENTS = """<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Ben</mwg-rs:Name>
 <mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area rdf:parseType="Resource"><stArea:x>300</stArea:x>
 <stArea:y>50</stArea:y><stArea:w>40</stArea:w><stArea:h>20</stArea:h>
 <stArea:unit>pixel</stArea:unit></mwg-rs:Area></rdf:li>"""
CIRCLE = region("Cem", area='stArea:x="0.6" stArea:y="0.8" stArea:d="0.2"')
PET = region("Rex", "Pet", x=0.9, y=0.9)
BEFORE = packet(mwg(region(), ELEMENTS, CIRCLE, PET), MICROSOFT.replace("Ann", "Dee"))


def photo(orientation):
    """A photograph with named faces that lies as the orientation says."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((200, 400), np.uint8)).save(file, "jpeg", exif=exif)
    return splice.with_packet(file.getvalue(), BEFORE, "jpeg")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_names_are_on_their_faces_in_an_upright_copy(orientation):
    before = read_names(BEFORE, Frame(200, 400, orientation))
    assert len(before.regions) == 3
    copy = opsin.open(photo(orientation))
    after = read_names(copy.metadata.xmp, Frame(copy.height, copy.width))
    for one, other in zip(before.regions, after.regions, strict=True):
        assert (one.name, one.kind) == (other.name, other.kind)
        assert one.box == pytest.approx(other.box, abs=0.01)
    assert not after.notes


def test_a_pet_is_turned_too():
    done = with_regions_upright(BEFORE, Frame(200, 400, 8)).replace(b">Pet<", b">Face<")
    rex = read_names(done, Frame(400, 200)).regions[-1]
    assert rex.name == "Rex"
    assert rex.box == pytest.approx((160, 20, 200, 60), abs=0.01)


def test_microsofts_rectangles_alone_are_turned():
    done = with_regions_upright(packet(MICROSOFT), Frame(200, 400, 6))
    [one] = read_names(done, Frame(400, 200)).regions
    assert one.box == pytest.approx((80, 80, 120, 120), abs=0.01)


@pytest.mark.parametrize("shape", [RECTANGLE, RECTANGLE_PIXELS, CIRCLE_OF_IPTC, POLYGON])
@pytest.mark.parametrize("orientation", [2, 3, 5, 8])
def test_image_regions_are_turned(shape, orientation):
    frame = Frame(200, 400, orientation)
    [before] = read_names(packet(shape), frame).regions
    upright = Frame(*((400, 200) if orientation >= 5 else (200, 400)))
    [after] = read_names(with_regions_upright(packet(shape), frame), upright).regions
    assert after.box == pytest.approx(before.box, abs=0.01)


def test_what_lies_upright_or_is_of_another_picture_stays():
    other = packet(mwg(region(), size='stDim:w="200" stDim:h="400"'))
    assert with_regions_upright(BEFORE, Frame(200, 400)) == BEFORE
    turned = with_regions_upright(other, Frame(200, 400, 6))
    assert [one.box for one in read_names(turned, Frame(400, 200)).regions] == [
        pytest.approx((40, 160, 60, 240), abs=0.01)
    ]
    none = packet().replace(b"RegionInfo", b"Other")
    assert with_regions_upright(none, Frame(200, 400, 6)) == none


def test_a_damaged_place_is_left_alone():
    bad = packet(
        mwg(region(area='stArea:x="a" stArea:y="0.5"')), MICROSOFT.replace("0.2, 0.4", "a, b")
    )
    done = with_regions_upright(bad, Frame(200, 400, 6))
    assert b'stArea:x="a" stArea:y="0.5"' in done
    assert b"a, b, 0.1, 0.2" in done
