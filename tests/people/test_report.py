"""The page of people: self-contained, safe, complete within its limits."""

import io
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from xmp_packets import packet

import opsin
from opsin.errors import PhotoError, WrongCallError
from opsin.people import report
from opsin.people.records import FaceName, PhotoNames
from opsin.people.report import PeopleReport

BOX = (40.0, 30.0, 80.0, 80.0)
BAD = "<script>alert('Ann & \"Co\"')</script>"


def names(*faces, turned=0):
    return PhotoNames(tuple(faces), 200, 120, turned)


def face(state="confirmed", name="Ann Lee", number=1, similarity=None, box=BOX):
    return FaceName(number, box, 0.9, state, name, similarity, None)


class Page(HTMLParser):
    """What a page holds: its pictures, links, and the text behind each heading."""

    def __init__(self, text):
        super().__init__()
        self.pictures, self.links, self.tags = [], [], []
        self.feed(text)
        self.sections = {
            re.sub(r"<.*?>", "", one.split("</h2>")[0]).strip(): one
            for one in re.split(r"<h2[^>]*>", text)[1:]
        }

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append((found["alt"], b64decode(found["src"].split(",")[1])))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])


@pytest.fixture
def photo(tmp_path):
    """Saves a photograph that is gray but for a red face whose forehead is blue."""

    def save(name, date=None):
        pixels = np.full((120, 200, 3), 90, np.uint8)
        pixels[30:80, 40:80] = (220, 20, 20)
        pixels[30:45, 40:80] = (20, 20, 220)
        path, exif = tmp_path / name, Image.Exif()
        path.parent.mkdir(exist_ok=True)
        if date:
            exif.get_ifd(0x8769)[0x9003] = date
        Image.fromarray(pixels).save(path, exif=exif, quality=95)
        return path

    return save


def page_of(tmp_path, *added):
    page = PeopleReport(tmp_path / "people.html")
    for path, seen in added:
        page.add(path, seen)
    return Page(page.write().read_text("utf-8"))


def test_everybody_is_there_with_their_faces(tmp_path, photo):
    found = page_of(
        tmp_path,
        (photo("b.jpg", date="1931:07:14 12:00:00"), names(face(), face("unknown", None, 2))),
        (photo("a.jpg", date="1921:01:02 12:00:00"), names(face("named", "ann lee", 1, 0.71))),
        (photo("c.jpg"), names(face("maybe", "Ben", 3, 0.41), face("maybe", "Ann Lee", 4, 0.4))),
        (photo("d.jpg"), names(face("ignored", None))),
        (photo("e.jpg"), names()),
    )
    assert list(found.sections) == [
        "To check 2",
        "Ann Lee 1 confirmed · 1 by likeness · 1921 to 1931",
        "Unknown 1",
    ]
    ann = found.sections["Ann Lee 1 confirmed · 1 by likeness · 1921 to 1931"]
    assert ann.index("1921-01-02 · 0.71") < ann.index("1931-07-14")  # by date
    check = found.sections["To check 2"]
    assert "maybe Ben · 0.41<br><small>c.jpg, face 3" in check
    assert check.count("<img") == 3  # beside one who may be Ann is how she looks
    assert "Ann Lee, confirmed" in check
    alts = [alt for alt, _ in found.pictures]
    assert alts.count("Ann Lee, on b.jpg") == 1
    assert "unknown, on b.jpg" in alts
    assert set(found.links) == {"a.jpg", "b.jpg", "c.jpg"}


def test_nothing_is_fetched_and_nothing_runs(tmp_path, photo):
    path = tmp_path / "people.html"
    page = PeopleReport(path)
    page.add(photo("a.jpg"), names(face(name=BAD)))
    text = page.write().read_text("utf-8")
    found = Page(text)
    assert "script" not in found.tags
    assert not re.search(r"https?://|@import|url\(", text)
    assert found.pictures[0][0] == f"{BAD}, on a.jpg"
    assert text.count("<h2") == 1


def test_links_lead_to_the_photographs(tmp_path, photo):
    name = '50 % of #1 & "2" für\'s.jpg'
    found = page_of(tmp_path, (photo(f"scans/{name}"), names(face())))
    [link] = found.links
    assert link == "scans/50%20%25%20of%20%231%20%26%20%222%22%20f%C3%BCr%27s.jpg"


@pytest.mark.parametrize(
    ("turned", "blue"), [(0, "top"), (90, "right"), (180, "bottom"), (270, "left")]
)
def test_a_face_is_cut_out_upright_and_small(tmp_path, photo, turned, blue):
    found = page_of(tmp_path, (photo("a.png"), names(face(), turned=turned)))
    [(_, jpeg)] = found.pictures
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)), int)
    assert max(pixels.shape[:2]) <= report.SIDE
    is_blue = pixels[..., 2] > pixels[..., 0] + 100
    is_red = pixels[..., 0] > pixels[..., 2] + 100
    (y, x), (red_y, red_x) = (np.argwhere(one).mean(axis=0) for one in (is_blue, is_red))
    where = {
        "top": y < red_y - 5,
        "bottom": y > red_y + 5,
        "left": x < red_x - 5,
        "right": x > red_x + 5,
    }
    assert [side for side, there in where.items() if there] == [blue]
    assert (pixels[0, 0] < 120).all()  # something around it


def test_of_many_faces_the_first_by_date_are_shown_and_the_rest_told(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(report, "MOST_EACH", 2)
    years = (1950, 1930, 1940, 1920)
    found = page_of(
        tmp_path,
        *((photo(f"{year}.jpg", date=f"{year}:01:01 00:00:00"), names(face())) for year in years),
        (photo("undated.jpg"), names(face())),
    )
    [(title, section)] = found.sections.items()
    assert title == "Ann Lee 5 confirmed · 1920 to 1950"
    assert re.findall(r"<small>(\d+)\.jpg", section) == ["1920", "1930"]
    assert "3 more are left out" in section


def test_people_beyond_the_limit_are_told(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(report, "MOST_PEOPLE", 4)
    path = photo("a.jpg")
    found = page_of(tmp_path, (path, names(*(face(name=one) for one in "fedcba"))))
    assert [title[0] for title in found.sections] == ["a", "b", "c", "d"]
    assert "2 more, who are left out of this page" in (tmp_path / "people.html").read_text()
    assert [one for one in found.links if one.startswith("#")] == ["#p0", "#p1", "#p2", "#p3"]


def test_a_date_may_stand_in_a_sidecar(tmp_path, photo):
    path = photo("a.jpg", date="2019:01:01 00:00:00")
    said = '<p:DateCreated xmlns:p="http://ns.adobe.com/photoshop/1.0/">1912-03</p:DateCreated>'
    path.with_name("a.jpg.xmp").write_bytes(packet(said))
    assert "Ann Lee 1 confirmed · 1912" in page_of(tmp_path, (path, names(face()))).sections


def test_a_photograph_that_cannot_be_read_is_told_to_who_asked(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no")
    page = PeopleReport(tmp_path / "people.html")
    with pytest.raises(PhotoError):
        page.add(bad, names(face()))
    assert "0 people" in page.write().read_text()


def test_no_other_file_is_replaced(tmp_path):
    path = tmp_path / "people.html"
    path.write_text("a diary")
    with pytest.raises(WrongCallError, match=r"-o .*no such report"):
        PeopleReport(path)
    with pytest.raises(WrongCallError, match=r"end the name with \.html"):
        PeopleReport(tmp_path / "people.txt")
    assert path.read_text() == "a diary"
    other = tmp_path / "own.html"
    PeopleReport(other).write()
    assert PeopleReport(other).write() == other


def test_a_face_beyond_the_border_has_a_picture(tmp_path, photo):
    found = page_of(tmp_path, (photo("a.jpg"), names(face(box=(190.0, 100.0, 260.0, 150.0)))))
    assert len(found.pictures) == 1
    assert opsin.open(tmp_path / "a.jpg").width == 200
