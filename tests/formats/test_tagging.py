"""Names put into XMP: nothing that was there is lost, and what was added can be taken out again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xmp_packets import MICROSOFT, mwg, normal, packet, region, words

from opsin.formats.added import added_to
from opsin.formats.regions import Frame, read_names
from opsin.formats.tag_writer import PEOPLE
from opsin.formats.tagging import with_tags, without_tags

FRAME = Frame(200, 400)
ANN, BEN = ("Ann Lee", (80, 80, 120, 120)), ("Ben & Co", (300, 20, 340, 70))
PET = region("Rex", "Pet", x=0.9)
NAMELESS = region("", x=0.5)
OF_DIGIKAM = packet(
    mwg(PET, region("Ann Lee", x=0.26), NAMELESS),
    "<dc:subject><rdf:Bag><rdf:li>beach</rdf:li></rdf:Bag></dc:subject>",
    '<family:Album xmlns:family="http://example.org/">Summer</family:Album>',
)


def test_a_new_packet_names_people_in_all_conventions():
    done = with_tags(PEOPLE, None, [ANN, BEN], FRAME)
    assert done.names == ["Ann Lee", "Ben & Co"]
    assert not done.notes
    text = done.packet.decode()
    assert text.startswith("<?xpacket begin=")
    assert text.endswith('<?xpacket end="w"?>')
    assert 'stArea:x="0.250000" stArea:y="0.500000" stArea:w="0.100000" stArea:h="0.200000"' in text
    assert '<mwg-rs:AppliedToDimensions stDim:w="400" stDim:h="200" stDim:unit="pixel" />' in text
    assert "<MPReg:Rectangle>0.200000, 0.400000, 0.100000, 0.200000</MPReg:Rectangle>" in text
    assert "<mwg-rs:Type>Face</mwg-rs:Type>" in text
    assert words(done.packet, "PersonInImage") == ["Ann Lee", "Ben & Co"]
    assert words(done.packet, "subject") == ["Ann Lee", "Ben & Co"]
    assert words(done.packet, "TagsList") == ["People/Ann Lee", "People/Ben & Co"]
    assert words(done.packet, "hierarchicalSubject") == ["People|Ann Lee", "People|Ben & Co"]
    names = read_names(done.packet, FRAME)
    assert [one.kind for one in names.regions] == ["mwg", "mwg"]
    assert names.regions[1].box == pytest.approx(BEN[1], abs=1e-3)
    assert not names.others


@pytest.mark.parametrize("before", [None, OF_DIGIKAM, packet(), packet(MICROSOFT)])
@pytest.mark.parametrize("people", [[ANN], [ANN, BEN], [BEN]])
def test_writing_twice_gives_the_same_bytes(before, people):
    once = with_tags(PEOPLE, before, people, FRAME)
    assert with_tags(PEOPLE, once.packet, people, FRAME) == once


@pytest.mark.parametrize(
    "before",
    [
        OF_DIGIKAM,
        packet(MICROSOFT),
        packet("<mwg-rs:Regions><rdf:Description/></mwg-rs:Regions>"),
        packet(mwg(NAMELESS), MICROSOFT.replace("Ann Lee", "")),
        packet("<dc:subject><rdf:Bag/></dc:subject>"),
        packet(mwg(PET).replace("<mwg-rs:AppliedToDimensions", "<mwg-rs:X")),
    ],
)
def test_what_was_added_is_taken_out_and_nothing_else(before):
    done = with_tags(PEOPLE, before, [BEN, ("Cem", (10, 10, 30, 40))], FRAME)
    assert "Cem" in done.packet.decode()
    assert normal(without_tags(done.packet)) == normal(before)
    assert normal(with_tags(PEOPLE, done.packet, [], FRAME).packet) == normal(before)


def test_a_new_packet_without_tags_is_none():
    done = with_tags(PEOPLE, None, [ANN], FRAME)
    assert without_tags(done.packet) is None
    assert with_tags(PEOPLE, done.packet, [], FRAME).packet is None
    assert with_tags(PEOPLE, None, [], FRAME).packet is None


def test_what_another_program_put_into_it_keeps_a_new_packet():
    done = with_tags(PEOPLE, None, [ANN], FRAME).packet
    rated = done.replace(b"</rdf:Description>", b"<xmp:R xmlns:xmp='u'>5</xmp:R></rdf:Description>")
    left = without_tags(rated)
    assert b">5<" in left
    assert b"Ann" not in left
    assert without_tags(with_tags(PEOPLE, left, [BEN], FRAME).packet) is not None


def test_a_packet_that_says_all_already_keeps_its_bytes():
    full = with_tags(PEOPLE, None, [ANN], FRAME).packet
    theirs = re.sub(rb"\s*<opsin:Added>.*?</opsin:Added>", b"", full)
    assert with_tags(PEOPLE, theirs, [ANN], FRAME) == (theirs, ["Ann Lee"], [])
    assert without_tags(theirs) == theirs


def test_a_face_that_is_there_is_not_there_twice():
    packet = with_tags(PEOPLE, OF_DIGIKAM, [("ann LEE", ANN[1])], FRAME).packet
    assert re.findall(b"<mwg-rs:Name>(.*)</", packet) == [b"Rex", b"Ann Lee"]
    assert packet.count(b"PersonDisplayName>ann LEE<") == 1  # which Microsoft's had not
    assert words(packet, "subject") == ["beach", "ann LEE"]


def test_another_name_of_a_face_stays():
    done = with_tags(PEOPLE, OF_DIGIKAM, [("Cem", ANN[1]), BEN], FRAME)
    assert done.names == ["Ben & Co"]
    assert done.notes == ["Cem: not written, that face is named Ann Lee already"]
    assert b"Cem" not in done.packet
    [other] = with_tags(PEOPLE, packet(MICROSOFT), [("Cem", (70, 70, 130, 125))], FRAME).notes
    assert "named Ann Lee already" in other


def test_neighbors_are_two_faces():
    done = with_tags(PEOPLE, OF_DIGIKAM, [("Cem", (110, 80, 150, 120))], FRAME)
    assert done.names == ["Cem"]


def test_named_faces_come_before_those_without_a_name():
    done = with_tags(PEOPLE, OF_DIGIKAM, [BEN], FRAME).packet.decode()
    names = re.findall(r"<mwg-rs:Name>(.*?)</mwg-rs:Name>|<mwg-rs:Name />", done)
    assert names == ["Rex", "Ann Lee", "Ben &amp; Co", ""]


def test_words_are_not_said_again_wherever_they_stand():
    before = packet(
        '<digiKam:TagsList xmlns:digiKam="http://www.digikam.org/ns/1.0/"><rdf:Seq>'
        "<rdf:li>Familie/Ann Lee</rdf:li></rdf:Seq></digiKam:TagsList>"
    )
    assert words(with_tags(PEOPLE, before, [ANN], FRAME).packet, "TagsList") == ["Familie/Ann Lee"]


def test_a_single_word_becomes_a_list():
    for single in (
        packet().replace(b'rdf:about=""', b'rdf:about="" dc:subject="beach"'),
        packet("<dc:subject>beach</dc:subject>"),
    ):
        done = with_tags(PEOPLE, single, [ANN], FRAME)
        assert words(done.packet, "subject") == ["beach", "Ann Lee"]
        assert with_tags(PEOPLE, done.packet, [ANN], FRAME) == done
        assert words(without_tags(done.packet), "subject") == ["beach"]


def test_levels_are_told_apart_from_letters_of_a_name():
    done = with_tags(PEOPLE, None, [("AC/DC|X", ANN[1])], FRAME).packet
    assert words(done, "TagsList") == ["People/AC-DC|X"]
    assert words(done, "hierarchicalSubject") == ["People|AC/DC-X"]
    assert words(done, "PersonInImage") == ["AC/DC|X"]


def test_who_is_named_no_more_is_taken_out():
    first = with_tags(PEOPLE, OF_DIGIKAM, [BEN], FRAME).packet
    then = with_tags(PEOPLE, first, [("Benno", BEN[1])], FRAME).packet
    assert b"Ben &amp; Co" not in then
    assert then == with_tags(PEOPLE, OF_DIGIKAM, [("Benno", BEN[1])], FRAME).packet


def test_what_somebody_changed_since_is_theirs():
    done = with_tags(PEOPLE, OF_DIGIKAM, [BEN], FRAME).packet
    moved = done.replace(b'stArea:y="0.225000"', b'stArea:y="0.325000"')
    assert moved != done
    left = without_tags(moved)
    assert [one.name for one in read_names(left, FRAME).regions] == ["Ann Lee", "Ben & Co"]
    assert words(left, "subject") == ["beach"]


def test_numbers_that_another_program_wrote_anew_are_ours():
    done = with_tags(PEOPLE, OF_DIGIKAM, [BEN], FRAME).packet
    anew = done.replace(b'stArea:y="0.225000"', b'stArea:y="0.22501"')
    assert anew != done
    assert normal(without_tags(anew)) == normal(OF_DIGIKAM)


def test_a_word_that_was_there_before_is_not_ours():
    said = "<dc:subject><rdf:Bag><rdf:li>Ben &amp; Co</rdf:li></rdf:Bag></dc:subject>"
    done = with_tags(PEOPLE, packet(said), [BEN], FRAME).packet
    assert words(without_tags(done), "subject") == ["Ben & Co"]


def test_regions_of_another_shape_get_none_beside_them():
    before = packet(mwg(region(), size='stDim:w="200" stDim:h="400"'))
    done = with_tags(PEOPLE, before, [BEN], FRAME)
    assert "are for 200 x 400 pixels, which are not this photograph's 400 x 200" in done.notes[0]
    assert done.packet.decode().count("<mwg-rs:Name>") == 1
    assert [one.kind for one in read_names(done.packet, FRAME).regions] == ["mp"]


def test_a_new_sidecar_says_what_the_photograph_says():
    done = with_tags(PEOPLE, None, [BEN], FRAME, embedded=OF_DIGIKAM)
    assert words(done.packet, "subject") == ["beach", "Ben & Co"]
    names = [one.name for one in read_names(done.packet, FRAME).regions]
    assert names == ["Ann Lee", "Ben & Co"]
    assert with_tags(PEOPLE, done.packet, [BEN], FRAME, embedded=OF_DIGIKAM) == done
    assert without_tags(done.packet) is None


def test_no_sidecar_where_the_photograph_says_all():
    embedded = with_tags(PEOPLE, OF_DIGIKAM, [ANN, BEN], FRAME).packet
    done = with_tags(PEOPLE, None, [ANN, BEN], FRAME, embedded=embedded)
    assert done == (None, ["Ann Lee", "Ben & Co"], [])


def test_a_sidecar_of_others_is_not_added_to_from_the_photograph():
    done = with_tags(PEOPLE, packet(), [BEN], FRAME, embedded=OF_DIGIKAM)
    assert words(done.packet, "subject") == ["Ben & Co"]


@pytest.mark.parametrize(
    ("person", "said"),
    [
        (("", ANN[1]), "a box without a name: no place on the photograph"),
        (("\x00 ", ANN[1]), "a box without a name: no place on the photograph"),
        (("Ann", (500, 0, 600, 50)), "Ann: no place on the photograph"),
        (("Ann", (20, 20, 20, 50)), "Ann: no place on the photograph"),
    ],
)
def test_nothing_is_written_of_a_face_without_a_name_or_place(person, said):
    assert with_tags(PEOPLE, None, [person], FRAME) == (None, [], [said])


def test_nobody_is_on_a_photograph_twice():
    done = with_tags(PEOPLE, None, [ANN, ("ann lee", BEN[1])], FRAME)
    assert done.packet == with_tags(PEOPLE, None, [ANN], FRAME).packet


def test_letters_that_xml_has_not_are_left_out():
    done = with_tags(PEOPLE, None, [("Zoë\x0b \ud800<b>\n🙂", ANN[1])], FRAME)
    assert done.names == ["Zoë <b> 🙂"]
    assert read_names(done.packet, FRAME).regions[0].name == "Zoë <b> 🙂"


@pytest.mark.parametrize("hostile", [b"no XML", b"<a/>", b"<!DOCTYPE a><a/>"])
def test_a_broken_packet_is_an_error(hostile):
    with pytest.raises(ValueError, match=r".+"):
        with_tags(PEOPLE, hostile, [ANN], FRAME)
    with pytest.raises(ValueError, match=r".+"):
        without_tags(hostile)


def test_a_list_of_what_was_added_that_is_damaged_removes_nothing():
    done = with_tags(PEOPLE, OF_DIGIKAM, [BEN], FRAME).packet
    damaged = done.replace(b'"words":', b'"word":')
    assert damaged != done
    assert added_to(damaged) is None
    assert without_tags(damaged) == damaged


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
    done = with_tags(PEOPLE, None, [("Ann", box)], frame).packet
    for data in (done, done.replace(b"mwg-rs:Regions", b"mwg-rs:Gone")):
        [one] = read_names(data, frame).regions
        assert one.box == pytest.approx(box, abs=0.02)
