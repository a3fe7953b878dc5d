"""XMP: how a copy says what it is and what it was made from.

What the packet says already is kept, but for what is true of the original's file alone: its
history, its thumbnails, and what it was derived from itself. Terms: IPTC Photo Metadata 2025.1, XMP
specification parts 1 and 2 (ISO 16684-1).
"""

import io
import re
import threading
import uuid
from contextlib import suppress
from xml.etree import ElementTree

X = "adobe:ns:meta/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
MM = "http://ns.adobe.com/xap/1.0/mm/"
REF = "http://ns.adobe.com/xap/1.0/sType/ResourceRef#"
TIFF = "http://ns.adobe.com/tiff/1.0/"
NOTE = "http://ns.adobe.com/xmp/note/"
GOOGLE = "http://ns.google.com/photos/1.0/"
XML = "http://www.w3.org/XML/1998/namespace"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OPSIN = "urn:opsin:xmp"
OPSIN_BY_OTHERS = b"urn:opsin:xmp/"  # Adobe's library, in exiv2 and digiKam too, ends it so
MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
AREA = "http://ns.adobe.com/xmp/sType/Area#"
DIMENSIONS = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
MP = "http://ns.microsoft.com/photo/1.2/"
MP_INFO = "http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
MP_REGION = "http://ns.microsoft.com/photo/1.2/t/Region#"
DC = "http://purl.org/dc/elements/1.1/"
DIGIKAM = "http://www.digikam.org/ns/1.0/"
LIGHTROOM = "http://ns.adobe.com/lightroom/1.0/"
PREFIXES = {
    "x": X,
    "rdf": RDF,
    "xmp": XMP,
    "xmpMM": MM,
    "stRef": REF,
    "Iptc4xmpExt": IPTC_EXT,
    "opsin": OPSIN,
    "mwg-rs": MWG,
    "stArea": AREA,
    "stDim": DIMENSIONS,
    "MP": MP,
    "MPRI": MP_INFO,
    "MPReg": MP_REGION,
    "dc": DC,
    "digiKam": DIGIKAM,
    "lr": LIGHTROOM,
}
ORIGIN = re.compile(rb"opsin:Origin(?:>|=[\"'])([0-9a-f]{32})")
"""Where a copy's packet names the file that it was made from."""

EXTENDED = b"HasExtendedXMP"
"""A JPEG's packet names another one by it, in segments that are not read."""

MADE_BY_NETWORK = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
HEAD = '<?xpacket begin="\N{ZERO WIDTH NO-BREAK SPACE}" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
TAIL = '\n<?xpacket end="w"?>'

_MAP: dict[str, str] = ElementTree._namespace_map  # type: ignore[attr-defined]
"""ElementTree's prefixes of the whole process, by namespace."""
_lock = threading.Lock()


def with_provenance(
    packet: bytes | None,
    *,
    source: str | None,
    model: str,
    version: str,
    fingerprint: str,
    origin: str | None = None,
    damage: str | None = None,
    request: str | None = None,
) -> bytes:
    """The packet of a colorized copy; `ValueError` where the packet given is broken.

    `source` is the original's name, `origin` the fingerprint of its file, `damage` what it lacks,
    `request` what was asked for, as JSON.

    The same original, model and pixels (`fingerprint`) give the same packet.
    """
    root, prefixes = parse(packet) if packet else (empty(), {})
    rdf = root if root.tag == qname(RDF, "RDF") else root.find(qname(RDF, "RDF"))
    if rdf is None:
        raise ValueError("no rdf:RDF in it")
    parent = {key: take(rdf, MM, key) for key in ("DocumentID", "InstanceID")}
    identity = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join([str(source), model, version, fingerprint]))
    for old in ("DerivedFrom", "History"):
        take(rdf, MM, old)
    _take_pictures(rdf)
    about = qname(RDF, "about")
    subjects = [found.get(about, "") for found in rdf.iter(qname(RDF, "Description"))]
    target = ElementTree.SubElement(
        rdf, qname(RDF, "Description"), {about: subjects[0] if subjects else ""}
    )
    for namespace, key, text in (
        (IPTC_EXT, "DigitalSourceType", MADE_BY_NETWORK),
        (IPTC_EXT, "AISystemUsed", f"opsin {model}"),
        (IPTC_EXT, "AISystemVersionUsed", version),
        (XMP, "CreatorTool", f"opsin {version}"),
        (MM, "DocumentID", f"xmp.did:{identity}"),
        (MM, "InstanceID", f"xmp.iid:{identity}"),
        (OPSIN, "Origin", origin),
        (OPSIN, "Request", request),
        (OPSIN, "Damage", damage or take(rdf, OPSIN, "Damage")),
    ):
        take(rdf, namespace, key)
        if text:
            ElementTree.SubElement(target, qname(namespace, key)).text = text
    _derive(target, source, parent)
    drop_empty(rdf, keep=target)
    return written(root, prefixes)


def with_origin(packet: bytes | None, origin: str | None, damage: str | None = None) -> bytes:
    """The packet of a picture that was made from a file: its `opsin.files.fingerprint`, what the
    file lacks (`damage`), and no thumbnail, which would show the photograph as it was. A broken
    packet is replaced."""
    try:
        root, prefixes = parse(packet) if packet else (empty(), {})
    except ValueError:
        return with_origin(None, origin, damage)
    rdf = root if root.tag == qname(RDF, "RDF") else root.find(qname(RDF, "RDF"))
    if rdf is None:
        return with_origin(None, origin, damage)
    about = qname(RDF, "about")
    subjects = [found.get(about, "") for found in rdf.iter(qname(RDF, "Description"))]
    _take_pictures(rdf)
    target = ElementTree.SubElement(
        rdf, qname(RDF, "Description"), {about: subjects[0] if subjects else ""}
    )
    for key, text in (
        ("Damage", damage or take(rdf, OPSIN, "Damage")),
        ("Origin", origin),
    ):
        take(rdf, OPSIN, key)
        if text:
            ElementTree.SubElement(target, qname(OPSIN, key)).text = text
    drop_empty(rdf, keep=target)
    return written(root, prefixes)


def without_extension(packet: bytes) -> bytes:
    """The packet without its reference to another; as it is where it is broken."""
    try:
        root, prefixes = parse(packet)
    except ValueError:
        return packet
    take(root, NOTE, "HasExtendedXMP")
    return written(root, prefixes)


def fitted(packet: bytes, most: int) -> tuple[bytes | None, list[str]]:
    """The packet in at most `most` bytes, and the names of what it had to leave out.

    The largest properties go first. No packet where it is broken, or cannot be made to fit.
    """
    if len(packet) <= most:
        return packet, []
    left: list[str] = []
    try:
        root, prefixes = parse(packet)
        size = len(written(root, prefixes))
        for part, element, name in sorted(_properties(root), key=lambda one: -one[0]):
            if size <= most:
                break
            space, key = name[1:].split("}")
            take(element, space, key)
            size -= part
            left.append(f"{prefixes.get(space) or 'XMP'}:{key}")
        packet = written(root, prefixes)
    except (ValueError, RecursionError):
        return None, []
    return (packet, left) if len(packet) <= most else (None, [])


def _properties(root: ElementTree.Element) -> list[tuple[int, ElementTree.Element, str]]:
    """The least that each property takes, in bytes, the element it belongs to, and its name."""
    found = []
    for element in root.iter(qname(RDF, "Description")):
        found += [(len(text.encode()), element, name) for name, text in element.attrib.items()]
        found += [
            (len("".join(child.itertext()).encode()), element, child.tag) for child in element
        ]
    return [one for one in found if one[2].startswith("{") and RDF not in one[2]]


def orientation(packet: bytes) -> int:
    """1 to 8, as EXIF counts them; 1 where nothing is said or the packet is broken."""
    with suppress(ValueError):
        found = int(value(packet, TIFF, "Orientation") or 1)
        return found if 1 <= found <= 8 else 1
    return 1


def upright(packet: bytes, *, size_hw: tuple[int, int]) -> bytes:
    """The packet of the picture once it is turned: orientation 1, its size.

    Readers that go by XMP would otherwise turn it a second time. Raises `ValueError` where the
    packet is broken.
    """
    if b"Orientation" not in packet:
        return packet
    root, prefixes = parse(packet)
    new = {"Orientation": "1", "ImageWidth": str(size_hw[1]), "ImageLength": str(size_hw[0])}
    for element in root.iter(qname(RDF, "Description")):
        for key, text in new.items():
            name = qname(TIFF, key)
            if name in element.attrib:
                element.set(name, text)
            for child in element.findall(name):
                child.text = text
    return written(root, prefixes)


def value(packet: bytes, namespace: str, key: str) -> str | None:
    """A simple property, or None."""
    name = qname(namespace, key)
    for element in parse(packet)[0].iter(qname(RDF, "Description")):
        if name in element.attrib:
            return element.attrib[name]
        if (child := element.find(name)) is not None:
            return child.text
    return None


def source(packet: bytes) -> str | None:
    """The name of the file that a copy says it was made from, or None."""
    for derived in parse(packet)[0].iter(qname(MM, "DerivedFrom")):
        return derived.get(qname(REF, "filePath")) or derived.findtext(
            f".//{qname(REF, 'filePath')}"
        )
    return None


def _derive(target: ElementTree.Element, source: str | None, parent: dict[str, str | None]) -> None:
    facts = {
        "documentID": parent["DocumentID"],
        "instanceID": parent["InstanceID"],
        "filePath": source,
    }
    if any(facts.values()):
        origin = ElementTree.SubElement(
            target, qname(MM, "DerivedFrom"), {qname(RDF, "parseType"): "Resource"}
        )
        for key, text in facts.items():
            if text:
                ElementTree.SubElement(origin, qname(REF, key)).text = text


def parse(packet: bytes) -> tuple[ElementTree.Element, dict[str, str]]:
    """The packet's root, and its prefixes by namespace."""
    packet = packet.strip(b"\0 \t\r\n").replace(OPSIN_BY_OTHERS, OPSIN.encode())
    if b"<!DOCTYPE" in packet or b"<!ENTITY" in packet:
        raise ValueError("it declares entities, which XMP may not")
    root: ElementTree.Element | None = None
    prefixes: dict[str, str] = {}
    try:
        for event, item in ElementTree.iterparse(io.BytesIO(packet), ("start-ns", "start")):
            if event == "start-ns":
                prefixes.setdefault(item[1], item[0])
            elif root is None:
                root = item
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(str(error)) from error
    assert root is not None
    return root, prefixes


def empty() -> ElementTree.Element:
    root = ElementTree.Element(qname(X, "xmpmeta"))
    ElementTree.SubElement(root, qname(RDF, "RDF"))
    return root


def written(root: ElementTree.Element, prefixes: dict[str, str]) -> bytes:
    """The packet, with its own prefixes and ours.

    ElementTree knows prefixes for the whole process only: they are lent to it for one packet.
    """
    ours = {uri: prefix for prefix, uri in PREFIXES.items()} | {XML: "xml"}
    own = {
        uri: prefix
        for uri, prefix in prefixes.items()
        if prefix and prefix not in PREFIXES and not re.fullmatch(r"ns\d+", prefix)
    }
    with _lock:
        before = dict(_MAP)
        try:
            _MAP.clear()
            _MAP.update({**own, **ours})
            text = ElementTree.tostring(root, encoding="unicode")
        except RecursionError as error:
            raise ValueError("its parts are nested too deeply") from error
        finally:
            _MAP.clear()
            _MAP.update(before)
    return (HEAD + text + TAIL).encode()


def take(rdf: ElementTree.Element, namespace: str, key: str) -> str | None:
    """Removes the property wherever it stands and returns its text."""
    name, found = qname(namespace, key), None
    for element in rdf.iter(qname(RDF, "Description")):
        found = element.attrib.pop(name, found)
        for child in element.findall(name):
            found = child.text
            element.remove(child)
    return found


def _take_pictures(rdf: ElementTree.Element) -> None:
    """Removes thumbnails, and the originals and depth maps that telephones put into the packet."""
    take(rdf, XMP, "Thumbnails")
    for kind in ("image", "depthmap"):
        take(rdf, f"{GOOGLE}{kind}/", "Data")


def drop_empty(rdf: ElementTree.Element, *, keep: ElementTree.Element | None) -> None:
    for element in rdf.findall(qname(RDF, "Description")):
        if (
            element is not keep
            and not len(element)
            and not set(element.attrib) - {qname(RDF, "about")}
        ):
            rdf.remove(element)


def qname(namespace: str, key: str) -> str:
    return f"{{{namespace}}}{key}"
