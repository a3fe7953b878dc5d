"""ExifTool and exiv2 (digiKam's) read the names that opsin writes, and can write them anew."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import opsin
from opsin.formats import splice
from opsin.formats.regions import Frame, read_names
from opsin.formats.stored import SPLICED, read_stored
from opsin.formats.tag_writer import PEOPLE, THINGS
from opsin.formats.tagging import with_tags, without_tags

with_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")
with_exiv2 = pytest.mark.skipif(not shutil.which("exiv2"), reason="needs exiv2")
MARK = (60, 20, 100, 45)  # a white box on the stored pixels
WIDTH, HEIGHT = 240, 120
DOG = ("Dog", (80, 80, 120, 120))
ANN, ZOE = ("Ann Lee", (80, 80, 120, 120)), ("Zoë <b> & Co", (300, 20, 340, 70))


def ran(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def by_exiftool(path):
    [found] = json.loads(ran("exiftool", "-j", "-struct", "-n", str(path)))
    return found


def marked(orientation, format="jpeg"):
    """A photograph's bytes, and the box of its mark once it is upright."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    x1, y1, x2, y2 = MARK
    pixels[y1:y2, x1:x2] = 255
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(file, format, exif=exif)
    shown = opsin.open(file.getvalue()).pixels[..., 0] > 127
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return file.getvalue(), (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)


@with_exiftool
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exiftool_sees_the_mark_where_it_is_stored(orientation, tmp_path):
    data, box = marked(orientation)
    stored = read_stored(data, where="it", limit=1 << 20)
    assert stored.frame == (HEIGHT, WIDTH, orientation)
    packet = with_tags(PEOPLE, None, [("Ann", box)], stored.frame).packet
    path = tmp_path / "photo.jpg"
    path.write_bytes(splice.with_packet(data, packet, "jpeg"))
    found = by_exiftool(path)
    assert found["Orientation"] == orientation
    regions = found["RegionInfo"]
    assert regions["AppliedToDimensions"] == {"W": WIDTH, "H": HEIGHT, "Unit": "pixel"}
    [region] = regions["RegionList"]
    assert (region["Name"], region["Type"]) == ("Ann", "Face")
    area, (x1, y1, x2, y2) = region["Area"], MARK
    assert area["Unit"] == "normalized"
    seen = (area["X"] * WIDTH, area["Y"] * HEIGHT, area["W"] * WIDTH, area["H"] * HEIGHT)
    assert seen == pytest.approx(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), abs=0.01)
    [one] = read_names(packet, stored.frame).regions
    assert one.box == pytest.approx(box, abs=0.01)


@with_exiftool
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exiftool_sees_a_thing_where_it_is_stored(orientation, tmp_path):
    data, box = marked(orientation)
    frame = read_stored(data, where="it", limit=1 << 20).frame
    packet = with_tags(THINGS, None, [("Traffic light", box)], frame).packet
    path = tmp_path / "photo.jpg"
    path.write_bytes(splice.with_packet(data, packet, "jpeg"))
    found = by_exiftool(path)
    [region] = found["ImageRegion"]
    assert region["Name"] == "Traffic light"
    assert region["RCtype"] == [{"Name": "Traffic light"}]
    boundary, (x1, y1, x2, y2) = region["RegionBoundary"], MARK
    assert (boundary["RbShape"], boundary["RbUnit"]) == ("rectangle", "relative")
    seen = [boundary[f"Rb{key}"] for key in "XYWH"]
    stored = [x1 / WIDTH, y1 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT]
    assert seen == pytest.approx(stored, abs=1e-5)
    assert found["HierarchicalSubject"] in ("Objects|Traffic light", ["Objects|Traffic light"])
    assert not {"RegionInfo", "RegionInfoMP", "PersonInImage", "Warning"} & found.keys()


@with_exiftool
@pytest.mark.parametrize("format", SPLICED)
def test_exiftool_reads_all_that_is_said(format, tmp_path):
    path = tmp_path / f"photo.{format}"
    packet = with_tags(PEOPLE, None, [ANN, ZOE], Frame(200, 400)).packet
    path.write_bytes(splice.with_packet(marked(1, format)[0], packet, format))
    found = by_exiftool(path)
    assert found["PersonInImage"] == found["Subject"] == ["Ann Lee", "Zoë <b> & Co"]
    assert found["TagsList"] == ["People/Ann Lee", "People/Zoë <b> & Co"]
    assert found["HierarchicalSubject"] == ["People|Ann Lee", "People|Zoë <b> & Co"]
    assert [one["Name"] for one in found["RegionInfo"]["RegionList"]] == found["Subject"]
    first = found["RegionInfoMP"]["Regions"][0]
    assert first["Rectangle"] == "0.200000, 0.400000, 0.100000, 0.200000"
    assert "Warning" not in found


@with_exiv2
@pytest.mark.parametrize("format", SPLICED)
def test_exiv2_reads_all_that_is_said(format, tmp_path):
    path = tmp_path / f"photo.{format}"
    packet = with_tags(PEOPLE, None, [ANN, ZOE], Frame(200, 400)).packet
    path.write_bytes(splice.with_packet(marked(1, format)[0], packet, format))
    shown = ran("exiv2", "-px", str(path))
    found = dict(line.split(None, 3)[::3] for line in shown.splitlines() if line.count(" ") > 2)
    region = "Xmp.mwg-rs.Regions/mwg-rs:RegionList[2]/mwg-rs:"
    assert found[f"{region}Name"] == "Zoë <b> & Co"
    assert found[f"{region}Area/stArea:x"] == "0.800000"
    assert found["Xmp.mwg-rs.Regions/mwg-rs:AppliedToDimensions/stDim:w"] == "400"
    assert found["Xmp.iptcExt.PersonInImage"] == "Ann Lee, Zoë <b> & Co"
    assert found["Xmp.digiKam.TagsList"] == "People/Ann Lee, People/Zoë <b> & Co"


@with_exiv2
@pytest.mark.parametrize("format", SPLICED)
def test_exiv2_reads_where_things_are(format, tmp_path):
    path = tmp_path / f"photo.{format}"
    packet = with_tags(THINGS, None, [DOG, DOG], Frame(200, 400)).packet
    path.write_bytes(splice.with_packet(marked(1, format)[0], packet, format))
    shown = ran("exiv2", "-px", str(path))
    found = dict(line.split(None, 3)[::3] for line in shown.splitlines() if line.count(" ") > 2)
    region = "Xmp.iptcExt.ImageRegion[2]/Iptc4xmpExt:"
    assert found[f"{region}RegionBoundary/Iptc4xmpExt:rbX"] == "0.200000"
    assert found[f"{region}Name"] == 'lang="x-default" Dog 2'
    assert found[f"{region}rCtype[1]/Iptc4xmpExt:Name"] == 'lang="x-default" Dog'
    assert found["Xmp.dc.subject"] == "Dog"


def rewritten(program, path):
    """The sidecar once another program has rated the photograph, and how that is spelled."""
    if program == "exiftool":
        ran("exiftool", "-q", "-overwrite_original", "-XMP:Rating=5", str(path))
    else:
        ran("exiv2", "-M", "set Xmp.xmp.Rating 5", str(path))
    return path.read_bytes()


@pytest.mark.parametrize(
    "program",
    [pytest.param("exiftool", marks=with_exiftool), pytest.param("exiv2", marks=with_exiv2)],
)
def test_names_are_ours_when_another_program_has_written_the_sidecar_anew(program, tmp_path):
    path = tmp_path / "photo.jpg.xmp"
    frame = Frame(200, 400)
    path.write_bytes(with_tags(PEOPLE, None, [ANN, ZOE], frame).packet)
    data = rewritten(program, path)
    assert [one.name for one in read_names(data, frame).regions] == [ANN[0], ZOE[0]]
    left = without_tags(data)
    assert b"Rating" in left
    for gone in (b"Ann", b"Regions", b"RegionInfo", b"PersonInImage", b"subject", b"opsin"):
        assert gone not in left
    again = with_tags(PEOPLE, data, [ANN, ZOE], frame)
    assert with_tags(PEOPLE, again.packet, [ANN, ZOE], frame) == again
    path.write_bytes(again.packet)
    if program == "exiftool":
        assert by_exiftool(path)["Rating"] == 5
        assert len(by_exiftool(path)["RegionInfo"]["RegionList"]) == 2


@pytest.mark.parametrize(
    "program",
    [pytest.param("exiftool", marks=with_exiftool), pytest.param("exiv2", marks=with_exiv2)],
)
def test_things_are_ours_when_another_program_has_written_the_sidecar_anew(program, tmp_path):
    path, frame = tmp_path / "photo.jpg.xmp", Frame(200, 400)
    both = with_tags(THINGS, with_tags(PEOPLE, None, [ANN], frame).packet, [DOG, DOG], frame)
    path.write_bytes(both.packet)
    data = rewritten(program, path)
    assert with_tags(THINGS, data, [DOG, DOG], frame).packet == data
    assert with_tags(PEOPLE, data, [ANN], frame).packet == data
    left = without_tags(data, THINGS)
    assert b"Dog" not in left
    assert b"ImageRegion" not in left
    assert [one.name for one in read_names(left, frame).regions] == [ANN[0]]
    assert b"Ann" not in without_tags(left)


@pytest.mark.parametrize(
    "program",
    [pytest.param("exiftool", marks=with_exiftool), pytest.param("exiv2", marks=with_exiv2)],
)
def test_names_that_others_wrote_stay(program, tmp_path):
    path = tmp_path / "photo.jpg.xmp"
    frame = Frame(200, 400)
    if program == "exiftool":
        path.write_text('<x:xmpmeta xmlns:x="adobe:ns:meta/">' + RDF)
        ran(
            "exiftool",
            "-q",
            "-overwrite_original",
            "-RegionInfo={AppliedToDimensions={W=400,H=200,Unit=pixel},RegionList=[{Area={X=0.25,"
            "Y=0.5,W=0.1,H=0.2,Unit=normalized},Name=Ann Lee,Type=Face}]}",
            "-XMP-dc:Subject=beach",
            str(path),
        )
    else:
        region = "Xmp.mwg-rs.Regions/mwg-rs:RegionList[1]"
        path.write_text('<x:xmpmeta xmlns:x="adobe:ns:meta/">' + RDF)
        commands = [
            "set Xmp.mwg-rs.Regions XmpText type=Struct",
            "set Xmp.mwg-rs.Regions/mwg-rs:RegionList XmpText type=Bag",
            f"set {region} XmpText type=Struct",
            f"set {region}/mwg-rs:Name XmpText Ann Lee",
            f"set {region}/mwg-rs:Type XmpText Face",
            f"set {region}/mwg-rs:Area XmpText type=Struct",
            *(f"set {region}/mwg-rs:Area/stArea:{k} XmpText {v}" for k, v in AREA.items()),
            "set Xmp.dc.subject XmpBag beach",
        ]
        ran("exiv2", *(part for one in commands for part in ("-M", one)), str(path))
    before = path.read_bytes()
    [ann] = read_names(before, frame).regions
    assert ann.box == pytest.approx((80, 80, 120, 120))
    done = with_tags(PEOPLE, before, [ANN, ZOE], frame)
    assert [one.name for one in read_names(done.packet, frame).regions] == [ANN[0], ZOE[0]]
    left = without_tags(done.packet)
    assert read_names(left, frame) == read_names(before, frame)
    assert b"beach" in left
    assert left.count(b"Ann Lee") == before.count(b"Ann Lee")


AREA = {"x": 0.25, "y": 0.5, "w": 0.1, "h": 0.2, "unit": "normalized"}
RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>'
)
