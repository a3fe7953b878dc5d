"""XMP: a colorized copy says what it is, and keeps what was said before."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import opsin.photo as op
from opsin.formats import xmp

GRAY = np.full((8, 8), 90, np.uint8)
COLOR = np.full((8, 8, 3), 90, np.uint8)
LIGHTROOM = """<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.6">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:faf5"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:family="http://example.org/family/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmp:CreatorTool="Scanner 3" xmpMM:DocumentID="xmp.did:1234" family:Album="Summer 1931">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Großmutter</rdf:li></rdf:Alt></dc:title>
   <xmp:Thumbnails><rdf:Alt><rdf:li>/9j/old</rdf:li></rdf:Alt></xmp:Thumbnails>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>   \0""".encode()


def colorized(packet, *, source="a.jpg", pixels=COLOR):
    photo = replace(op.open(GRAY), metadata=op.Metadata(xmp=packet, source=source))
    return op.made_by_opsin(photo, pixels, model="default", version="1.2")


@pytest.mark.parametrize("packet", [None, LIGHTROOM])
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "webp", "avif"])
def test_the_copy_says_what_it_is(packet, format):
    found = op.open(colorized(packet).encode(format)).metadata.xmp
    assert xmp.value(found, xmp.IPTC_EXT, "DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    assert xmp.value(found, xmp.IPTC_EXT, "AISystemUsed") == "opsin default"
    assert xmp.value(found, xmp.IPTC_EXT, "AISystemVersionUsed") == "1.2"
    assert xmp.value(found, xmp.XMP, "CreatorTool") == "opsin 1.2"
    assert xmp.value(found, xmp.MM, "DocumentID").startswith("xmp.did:")


def test_pillow_reads_the_packet():
    image = Image.open(io.BytesIO(colorized(LIGHTROOM).encode("png")))
    root = ElementTree.fromstring(image.info["xmp"])
    assert root.tag == "{adobe:ns:meta/}xmpmeta"


def test_what_was_said_is_kept_under_its_own_prefix():
    packet = colorized(LIGHTROOM).metadata.xmp.decode()
    assert "Großmutter" in packet
    assert 'family:Album="Summer 1931"' in packet
    assert "<dc:title>" in packet
    assert packet.count("CreatorTool") == 2  # one element, begun and ended
    assert "Scanner 3" not in packet
    assert "ns0:" not in packet
    assert 'about=""' not in packet  # one packet has one subject


def test_the_old_thumbnail_is_dropped():
    assert b"/9j/old" not in colorized(LIGHTROOM).metadata.xmp


def test_the_copy_names_its_original():
    packet = colorized(LIGHTROOM, source="Großmutter & ich.tif").metadata.xmp
    root = ElementTree.fromstring(packet)
    origin = root.find(f".//{{{xmp.MM}}}DerivedFrom")
    assert origin.findtext(f"{{{xmp.REF}}}documentID") == "xmp.did:1234"
    assert origin.findtext(f"{{{xmp.REF}}}filePath") == "Großmutter & ich.tif"
    assert xmp.value(packet, xmp.MM, "DocumentID") != "xmp.did:1234"


def test_without_a_source_nothing_is_invented():
    assert b"DerivedFrom" not in colorized(None, source=None).metadata.xmp


def test_a_copy_of_a_copy_says_it_once():
    first = colorized(LIGHTROOM)
    second = op.made_by_opsin(first, COLOR, model="other", version="2").metadata.xmp
    assert second.count(b"<Iptc4xmpExt:AISystemUsed>") == 1
    assert xmp.value(second, xmp.IPTC_EXT, "AISystemUsed") == "opsin other"


def test_the_same_work_gives_the_same_packet():
    assert colorized(LIGHTROOM).metadata.xmp == colorized(LIGHTROOM).metadata.xmp
    assert colorized(None).metadata.xmp != colorized(None, pixels=COLOR + 1).metadata.xmp


@pytest.mark.parametrize(
    "packet",
    [
        b"not xml at all",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"\xff\xfe\xfd",
        b"\0\0\0",
    ],
)
def test_a_broken_packet_is_replaced_with_a_note(packet):
    photo = colorized(packet)
    assert photo.notes == ("broken XMP replaced",)
    assert xmp.value(photo.metadata.xmp, xmp.XMP, "CreatorTool") == "opsin 1.2"


def test_a_bare_rdf_root_is_merged():
    bare = LIGHTROOM[LIGHTROOM.index(b"<rdf:RDF") : LIGHTROOM.index(b"</x:xmpmeta>")]
    photo = colorized(bare)
    assert photo.notes == ()
    assert b"Summer 1931" in photo.metadata.xmp


def test_the_input_packet_is_not_changed():
    photo = replace(op.open(GRAY), metadata=op.Metadata(xmp=LIGHTROOM))
    op.made_by_opsin(photo, COLOR, model="default", version="1")
    assert photo.metadata.xmp == LIGHTROOM


def test_the_history_of_the_original_is_not_the_copys():
    history = (
        b"<xmpMM:History><rdf:Seq><rdf:li>scanned, then saved</rdf:li></rdf:Seq></xmpMM:History>"
    )
    packet = LIGHTROOM.replace(b"<dc:title>", history + b"<dc:title>")
    assert b"scanned, then saved" in packet
    found = colorized(packet).metadata.xmp
    assert b"scanned, then saved" not in found
    assert b"History" not in found
