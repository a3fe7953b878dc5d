"""What format a file has, told from its first bytes and never from its name."""

from opsin.errors import NotAPhotoError
from opsin.formats import exif

CONVERT = "Convert it to TIFF, PNG or JPEG first"

READABLE = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"\0\0\0\x0cjP  ", "jp2"),  # JPEG 2000
    (b"\xff\x4f\xff\x51", "jp2"),
)

KNOWN_BUT_NOT_READABLE = (
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"%PDF", "a PDF document"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file (RAF)"),
    (b"IIRO", "a camera's raw file (ORF)"),
    (b"IIRS", "a camera's raw file (ORF)"),
    (b"MMOR", "a camera's raw file (ORF)"),
    (b"IIU\0", "a camera's raw file (RW2)"),
    (b"FOVb", "a camera's raw file (X3F)"),
    (b"\0MRM", "a camera's raw file (MRW)"),
    (b"<svg", "an SVG drawing"),
    (b"\0\0\x01\0", "an icon"),
    (b"DDS ", "a DDS texture"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    *((b"P%d" % number, "a PNM picture") for number in range(1, 8)),
)

AVIF = {b"avif", b"avis"}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1"}


def sniff(data: bytes | memoryview, where: str) -> str:
    """ "jpeg", "png", "tiff", "webp", "avif", "heic", "gif", "bmp" or "jp2"."""
    head = bytes(data[:512])
    if not head:
        raise NotAPhotoError(
            f"{where}: the file is empty (0 bytes). Copy it again from where it came from."
        )
    for magic, format in READABLE:
        if head.startswith(magic):
            if format == "tiff":
                _refuse_raw(data, head, where)
            return format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _box_format(head, where)
    for magic, description in KNOWN_BUT_NOT_READABLE:
        if head.lstrip().startswith(magic) or head.startswith(magic):
            raise _unreadable(where, description)
    raise NotAPhotoError(
        f"{where}: not a photograph, or of a kind opsin does not know. "
        "It reads JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG 2000, GIF and BMP."
    )


def is_heic(head: bytes) -> bool:
    """Whether a file that begins so is a HEIC picture."""
    brands = _brands(head)
    return not AVIF & brands and bool(HEIC & brands)


def _brands(head: bytes) -> set[bytes]:
    """What a file of boxes says that it is: four letters each."""
    if head[4:8] != b"ftyp":
        return set()
    listed = head[8 : int.from_bytes(head[:4], "big")]
    return {listed[at : at + 4] for at in range(0, len(listed), 4)}


def _box_format(head: bytes, where: str) -> str:
    brands = _brands(head)
    if AVIF & brands:
        return "avif"
    if is_heic(head):
        return "heic"
    if b"crx " in brands:
        raise _unreadable(where, "a camera's raw file (CR3)")
    raise _unreadable(where, "a video")


def _refuse_raw(data: bytes | memoryview, head: bytes, where: str) -> None:
    """Raw files dress as TIFF, and their first page is a stamp-sized preview."""
    if head[8:10] == b"CR":
        raise _unreadable(where, "a camera's raw file (CR2)")
    try:
        first = exif.first_directory(data)
    except ValueError:
        return  # damaged: the decoder will say so
    preview = first.number(exif.SUBFILE_TYPE) & 1 and exif.SUB_DIRECTORIES in first.entries
    if preview or exif.DNG_VERSION in first.entries:
        raise _unreadable(where, "a camera's raw file (DNG, NEF, ARW or the like)")


def _unreadable(where: str, description: str) -> NotAPhotoError:
    return NotAPhotoError(f"{where}: this is {description}, which opsin cannot read. {CONVERT}.")
