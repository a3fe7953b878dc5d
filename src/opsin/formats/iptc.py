"""IPTC-IIM records and the Photoshop block that JPEG files wrap them in.

Reference: Adobe Photoshop File Formats, "Image Resource Blocks"; IPTC-IIM 4.2.
"""

HEADER = b"Photoshop 3.0\0"
RECORD = 0x0404  # the image resource that holds IPTC-IIM


def from_photoshop(block: bytes) -> bytes | None:
    """The IIM bytes inside a Photoshop block, with or without its header."""
    at = len(HEADER) if block.startswith(HEADER) else 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        resource = int.from_bytes(block[at + 4 : at + 6], "big")
        name = block[at + 6] + 1
        at += 6 + name + name % 2
        size = int.from_bytes(block[at : at + 4], "big")
        if resource == RECORD:
            return block[at + 4 : at + 4 + size] or None
        at += 4 + size + size % 2
    return None


def to_photoshop(iim: bytes) -> bytes:
    """The block for a JPEG file's APP13 segment."""
    resource = b"8BIM" + RECORD.to_bytes(2, "big") + b"\0\0" + len(iim).to_bytes(4, "big")
    return HEADER + resource + iim + bytes(len(iim) % 2)
