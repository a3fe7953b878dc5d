"""Names that other programs wrote are read, in whatever way they spell them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmp_packets import (
    CIRCLE,
    MICROSOFT,
    POLYGON,
    RECTANGLE,
    RECTANGLE_PIXELS,
    mwg,
    packet,
    region,
)

from opsin import boxes
from opsin.formats.regions import Frame, is_shape, key_of, read_names

ATTRIBUTES = """<mwg-rs:Regions><rdf:Description>
 <mwg-rs:AppliedToDimensions stDim:w="400" stDim:h="200" stDim:unit="pixel"/>
 <mwg-rs:RegionList><rdf:Bag><rdf:li>
  <rdf:Description mwg-rs:Name="Ann Lee" mwg-rs:Type="Face">
   <mwg-rs:Area stArea:x="0.25" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2"
    stArea:unit="normalized"/></rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList>
</rdf:Description></mwg-rs:Regions>"""

RESOURCES = """<mwg-rs:Regions rdf:parseType="Resource">
 <mwg-rs:AppliedToDimensions rdf:parseType="Resource">
  <stDim:w>400</stDim:w><stDim:h>200</stDim:h><stDim:unit>pixel</stDim:unit>
 </mwg-rs:AppliedToDimensions>
 <mwg-rs:RegionList><rdf:Seq><rdf:li rdf:parseType="Resource">
  <mwg-rs:Name> Ann
   Lee </mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type>
  <mwg-rs:Area rdf:parseType="Resource"><stArea:x>0.25</stArea:x><stArea:y>0.5</stArea:y>
   <stArea:w>0.1</stArea:w><stArea:h>0.2</stArea:h><stArea:unit>normalized</stArea:unit>
  </mwg-rs:Area></rdf:li></rdf:Seq></mwg-rs:RegionList></mwg-rs:Regions>"""

NESTED = """<mwg-rs:Regions><rdf:Description><mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description>
  <mwg-rs:Name>Ann Lee</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type>
  <mwg-rs:Area><rdf:Description stArea:x="0.25" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2"/>
  </mwg-rs:Area></rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList></rdf:Description>
</mwg-rs:Regions>"""


FRAME = Frame(200, 400)


def found(*properties, frame=FRAME):
    return read_names(packet(*properties), frame)


@pytest.mark.parametrize(
    "spelled",
    [ATTRIBUTES, RESOURCES, NESTED, MICROSOFT, RECTANGLE, RECTANGLE_PIXELS, CIRCLE, POLYGON],
)
def test_a_face_is_read_however_it_is_spelled(spelled):
    [ann] = found(spelled).regions
    assert ann.name == "Ann Lee"
    assert ann.box == pytest.approx((80, 80, 120, 120))


def test_a_face_that_several_conventions_tell_of_is_there_once():
    names = found(RECTANGLE, MICROSOFT, ATTRIBUTES)
    assert [one.kind for one in names.regions] == ["mwg"]


def test_two_people_are_two():
    names = found(mwg(region(), region("Ben", x=0.75)), MICROSOFT)
    assert [(one.name, one.box[0]) for one in names.regions] == [
        ("Ann Lee", pytest.approx(80)),
        ("Ben", pytest.approx(280)),
    ]


def test_pixels_are_of_the_size_that_is_said():
    area = 'stArea:x="50" stArea:y="50" stArea:w="20" stArea:h="20" stArea:unit="pixel"'
    [ann] = found(mwg(region(area=area), size='stDim:w="200" stDim:h="100"')).regions
    assert ann.box == pytest.approx((80, 80, 120, 120))


@pytest.mark.parametrize(
    "area",
    [
        'stArea:x="0.25" stArea:y="0.5" stArea:d="0.2" stArea:unit="normalized"',
        'stArea:x="100" stArea:y="100" stArea:d="40" stArea:unit="pixel"',
    ],
)
def test_a_circle_is_the_box_around_it(area):
    [ann] = found(mwg(region(area=area))).regions
    assert ann.box == pytest.approx((80, 80, 120, 120))


@pytest.mark.parametrize("type", ["Pet", "Focus", "BarCode", ""])
def test_what_is_no_face_is_no_person(type):
    assert not found(mwg(region(type=type))).regions


@pytest.mark.parametrize("name", ["", "  ", "ffffffffffffffff"])
def test_a_face_without_a_name_ends_nothing(name):
    names = found(mwg(region(name), region("Ben", x=0.75)))
    assert [one.name for one in names.regions] == ["Ben"]


@pytest.mark.parametrize(
    "area",
    [
        'stArea:x="nan" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2"',
        'stArea:x="0.25" stArea:y="0.5" stArea:w="inf" stArea:h="0.2"',
        'stArea:x="a" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2"',
        'stArea:x="0.25" stArea:y="0.5"',
        'stArea:x="1.5" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2"',
        'stArea:x="0.25" stArea:y="0.5" stArea:w="-0.1" stArea:h="0.2"',
    ],
)
def test_a_place_that_is_none_is_passed_over(area):
    assert not found(mwg(region(area=area))).regions


def test_a_face_at_the_border_is_cut_there():
    [ann] = found(mwg(region(x=0.0, w=0.2))).regions
    assert ann.box == pytest.approx((0, 80, 40, 120))


def test_regions_of_a_picture_of_another_shape_are_left_out_and_told():
    names = found(mwg(region(), size='stDim:w="200" stDim:h="400"'))
    assert not names.regions
    assert names.notes == [
        "named regions for a picture of 200 x 400 pixels left out: this one is 400 x 200"
    ]


def test_regions_of_the_upright_picture_are_taken_as_such():
    names = found(mwg(region(), size='stDim:w="200" stDim:h="400"'), frame=Frame(200, 400, 6))
    [ann] = names.regions  # shown as 200 x 400
    assert ann.box == pytest.approx((40, 160, 60, 240))


def test_a_small_copys_rounded_size_is_the_same_shape():
    assert is_shape(Frame(2667, 4000), 160, 107)
    assert is_shape(Frame(2667, 4000), 4, 3)
    assert not is_shape(Frame(3000, 4000), 3000, 2000)


def test_people_without_a_place_are_told_apart():
    said = """<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>ann  LEE</rdf:li><rdf:li>Ben</rdf:li>
     <rdf:li>Ben</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"""
    assert found(ATTRIBUTES, said).others == ["Ben"]


def test_names_are_one_in_both_forms_of_unicode():
    assert key_of("José") == key_of("Jose\N{COMBINING ACUTE ACCENT}".upper())


@pytest.mark.parametrize(
    "hostile",
    [
        b"not XML",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>',
        packet().replace(b"</rdf:RDF>", b""),
        "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a><a/>".encode("utf-16"),
    ],
)
def test_a_broken_packet_is_an_error(hostile):
    with pytest.raises(ValueError, match=r".+"):
        read_names(hostile, Frame(2, 4))


# Where the corner at the upper left of the stored 400 x 200 pixels is once the picture is upright
# (EXIF 2.32, 4.6.4: row 0 and column 0 of the visual image).
CORNERS = {
    1: (0, 0),
    2: (380, 0),
    3: (380, 190),
    4: (0, 190),
    5: (0, 0),
    6: (190, 0),
    7: (190, 380),
    8: (0, 380),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_those_of_the_upright_photograph(orientation):
    ann = region(x=0.025, y=0.025, w=0.05, h=0.05)  # 20 x 10 at the upper left
    [one] = found(mwg(ann), frame=Frame(200, 400, orientation)).regions
    x, y = CORNERS[orientation]
    wide, tall = (20, 10) if orientation < 5 else (10, 20)
    assert one.box == pytest.approx((x, y, x + wide, y + tall), abs=1e-3)


@given(
    orientation=st.integers(1, 8),
    height=st.integers(1, 500),
    width=st.integers(1, 500),
    box=st.tuples(*[st.integers(0, 500)] * 4),
)
def test_stored_is_the_opposite_of_upright(orientation, height, width, box):
    x1, y1, x2, y2 = box
    box = [[min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]]
    shown = boxes.upright(box, orientation, height, width)
    assert boxes.stored(shown, orientation, height, width).tolist() == box
    assert boxes.area(shown) == boxes.area(box)


@pytest.mark.parametrize("orientation", [0, 9])
def test_there_are_eight_orientations(orientation):
    with pytest.raises(ValueError, match="from 1 to 8"):
        boxes.upright([], orientation, 1, 1)
