"""Names of things put into XMP, beside those of people and of others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmp_packets import mwg, normal, packet, region, words

from opsin.boxes import scale, upright
from opsin.formats import rdf, xmp
from opsin.formats.regions import IMAGE_REGION, Frame, content_of, named_regions, read_names
from opsin.formats.tag_writer import PEOPLE, THINGS
from opsin.formats.tagging import with_tags, without_tags

FRAME = Frame(200, 400)
ANN, BEN = ("Ann Lee", (80, 80, 120, 120)), ("Ben & Co", (300, 20, 340, 70))
OF_DIGIKAM = packet(
    mwg(region("Rex", "Pet", x=0.9), region("Cem", x=0.5)),
    "<dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>",
)
BICYCLE, SECOND = ("Bicycle", (80, 80, 120, 120)), ("Bicycle", (90, 85, 130, 125))
DOG = ("Dog", (300, 20, 340, 70))
OTHERS = packet(
    '<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li rdf:parseType="Resource">'
    '<Iptc4xmpExt:RegionBoundary Iptc4xmpExt:rbShape="rectangle" Iptc4xmpExt:rbUnit="pixel"'
    ' Iptc4xmpExt:rbX="80" Iptc4xmpExt:rbY="82" Iptc4xmpExt:rbW="40" Iptc4xmpExt:rbH="40"/>'
    "<Iptc4xmpExt:Name><rdf:Alt><rdf:li>bicycle</rdf:li></rdf:Alt></Iptc4xmpExt:Name>"
    "</rdf:li></rdf:Bag></Iptc4xmpExt:ImageRegion>",
    "<dc:subject><rdf:Bag><rdf:li>bicycle</rdf:li></rdf:Bag></dc:subject>",
)


def regions(data, frame=FRAME):
    """Name, content and place of each image region."""
    tree = rdf.rdf_of(xmp.parse(data)[0])
    found = named_regions(tree, IMAGE_REGION, frame)
    return [(name, content_of(item), part) for item, name, part in found]


def things(before, *named, frame=FRAME, **options):
    return with_tags(THINGS, before, named, frame, **options).packet


def people(before, *named, **options):
    return with_tags(PEOPLE, before, named, FRAME, **options).packet


def test_a_thing_is_an_image_region_and_three_keywords():
    done = with_tags(THINGS, None, [BICYCLE, DOG], FRAME)
    assert (done.names, done.notes) == (["Bicycle", "Dog"], [])
    text = done.packet.decode()
    for said in ('rbShape="rectangle"', 'rbUnit="relative"', 'rbX="0.200000"', 'rbY="0.400000"'):
        assert f"Iptc4xmpExt:{said}" in text
    for said in ('rbW="0.100000"', 'rbH="0.200000"'):
        assert f"Iptc4xmpExt:{said}" in text
    assert words(done.packet, "subject") == ["Bicycle", "Dog"]
    assert words(done.packet, "TagsList") == ["Objects/Bicycle", "Objects/Dog"]
    assert words(done.packet, "hierarchicalSubject") == ["Objects|Bicycle", "Objects|Dog"]


def test_nobody_takes_things_for_people():
    done = things(None, BICYCLE, DOG)
    assert read_names(done, FRAME) == ([], [], [])
    for said in (b"mwg-rs", b"MPReg", b"PersonInImage"):
        assert said not in done


def test_regions_of_one_kind_have_names_of_their_own():
    done = things(None, BICYCLE, DOG, SECOND)
    assert [one[:2] for one in regions(done)] == [
        ("Bicycle", "Bicycle"),
        ("Dog", "Dog"),
        ("Bicycle 2", "Bicycle"),
    ]
    assert words(done, "subject") == ["Bicycle", "Dog"]


@pytest.mark.parametrize("before", [None, OF_DIGIKAM, OTHERS])
def test_what_was_added_is_taken_out_and_nothing_else(before):
    done = things(before, BICYCLE, DOG, SECOND)
    assert things(done, BICYCLE, DOG, SECOND) == done
    left = without_tags(done, THINGS)
    assert left is None if before is None else normal(left) == normal(before)
    assert things(done, DOG) == things(before, DOG)
    assert without_tags(done, PEOPLE) == done


def test_what_others_say_is_not_said_again():
    done = things(OTHERS, BICYCLE, DOG)
    assert [one[0] for one in regions(done)] == ["bicycle", "Dog"]
    assert words(done, "subject") == ["bicycle", "Dog"]
    other = ("Bicycle", (200, 80, 240, 120))
    assert [one[0] for one in regions(things(OTHERS, other))] == ["bicycle", "Bicycle 2"]


@pytest.mark.parametrize("before", [None, OF_DIGIKAM])
@pytest.mark.parametrize("embedded", [None, OF_DIGIKAM])
def test_people_and_things_do_not_disturb_each_other(before, embedded):
    done = people(before, ANN, BEN, embedded=embedded)
    both = things(done, BICYCLE, DOG, embedded=embedded)
    assert people(both, ANN, BEN, embedded=embedded) == both
    assert things(both, BICYCLE, DOG, embedded=embedded) == both
    if not embedded:
        assert normal(without_tags(both, THINGS)) == normal(done)
    alone = things(before, BICYCLE, DOG, embedded=embedded)
    without = without_tags(both, PEOPLE)
    assert regions(without) == regions(alone)
    for name in ("subject", "TagsList", "hierarchicalSubject"):
        assert sorted(words(without, name)) == sorted(words(alone, name))
    nothing = without_tags(without, THINGS)
    assert nothing is None if before is None else normal(nothing) == normal(before)


def test_a_name_that_somebody_has_taken_out_does_not_come_back():
    both = things(people(None, ANN), DOG)
    gone = re.sub(rb"\s*<rdf:li>Ann Lee</rdf:li>", b"", both)
    assert gone != both
    assert words(things(gone, BICYCLE), "subject") == ["Bicycle"]


def test_a_keyword_that_somebody_has_taken_out_is_written_again():
    done = things(None, DOG)
    gone = re.sub(rb"\s*<rdf:li>Dog</rdf:li>", b"", done)
    assert words(gone, "subject") == []
    assert words(things(gone, DOG), "subject") == ["Dog"]


def test_what_stands_beside_is_taken_over():
    copy = people(None, ANN, BEN)
    both = things(None, DOG, beside=copy)
    assert [one.name for one in read_names(both, FRAME).regions] == ["Ann Lee", "Ben & Co"]
    assert words(both, "PersonInImage") == ["Ann Lee", "Ben & Co"]
    assert words(both, "subject") == ["Ann Lee", "Ben & Co", "Dog"]
    assert regions(people(None, ANN, beside=both)) == regions(things(None, DOG))
    assert words(without_tags(both, PEOPLE), "subject") == ["Dog"]
    assert things(None, DOG, beside=OF_DIGIKAM) == things(None, DOG)  # nothing of it was added


def test_two_hundred_things_are_written():
    many = [("Bicycle", (x, y, x + 9, y + 9)) for x in range(0, 375, 15) for y in range(0, 80, 10)]
    assert len(many) == 200
    done = things(None, *many)
    assert regions(done)[-1][:2] == ("Bicycle 200", "Bicycle")
    assert without_tags(done) is None


@given(
    orientation=st.integers(1, 8),
    height=st.integers(40, 4000),
    width=st.integers(40, 4000),
    at=st.tuples(*[st.floats(0, 0.9)] * 2),
    size=st.tuples(*[st.floats(0.02, 0.5)] * 2),
)
def test_a_box_is_read_where_it_was_written(orientation, height, width, at, size):
    frame = Frame(height, width, orientation)
    wide, tall = (width, height) if orientation < 5 else (height, width)
    x2, y2 = (min(1, one + more) for one, more in zip(at, size, strict=True))
    box = (at[0] * wide, at[1] * tall, x2 * wide, y2 * tall)
    [(_, _, part)] = regions(things(None, ("Dog", box), frame=frame), frame)
    found = upright(scale([part], width, height), orientation, height, width)
    assert found[0] == pytest.approx(box, abs=0.02)
