"""A file that is no picture we take → what it is instead, and what to do."""

import re

from bot.images.reading import CUT_OFF, DAMAGED

STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")
"""Of the pictures whose first bytes alone tell them."""

ACCEPTED = "post it as PNG, JPEG, WebP, GIF, HEIC, AVIF, TIFF, BMP or PDF"


def instead(data: bytes) -> str:
    """What a file is that is no picture we take, and what to do; one sentence."""
    if not data:
        return "the file is empty (0 bytes); post it again"
    riff = b"RIFF" + data[4:8] + b"WEBP"
    if any(start.startswith(data[:12]) for start in (*STARTS, riff)):
        return CUT_OFF
    if data.startswith(b"\x89PNG"):
        return DAMAGED
    head = data[:4096]
    opening = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").replace(b"\0", b"").lower()
    if PAGE.match(opening):
        return (
            "the platform sent a web page instead of the file; "
            "check that the bot is allowed to read files, then post it again"
        )
    for kind, found in KINDS:
        if found.match(opening if kind.startswith("an SVG") else head):
            return f"it is {kind}, which cannot be read here; {ACCEPTED}"
    if is_text(head):
        return f"it is a text file and not a picture; {ACCEPTED}"
    return f"it is not a picture of a known kind; {ACCEPTED}"


def is_text(head: bytes) -> bool:
    """Whether the beginning of a file reads as words."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # Up to three bytes may be the beginning of a character that was cut by us.
    words = head.decode("utf-8", "ignore")
    broken = len(head) - len(words.encode())
    return broken <= 3 and not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", words)


# Each comment is read in one way alone, or a few dozen of them would take years.
PAGE = re.compile(
    rb"(<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*<(!doctype\s+html|html|head|body|title|meta|script)\b",
    re.DOTALL,
)
KINDS = tuple(
    (kind, re.compile(pattern, re.DOTALL))
    for kind, pattern in (
        ("a camera's raw picture", rb"....ftypcrx |IIRO|IIU\0|FUJIFILMCCD-RAW"),
        ("an audio file", rb"....ftypM4[AB]|ID3|OggS|fLaC|RIFF....WAVE|\xff[\xf2-\xfb]"),
        (
            "a video",
            rb"....(ftyp|moov|mdat|wide)|\x1aE\xdf\xa3|RIFF....AVI |FLV|\x00\x00\x01[\xb3\xba]",
        ),
        ("an icon or cursor", rb"\x00\x00\x02\x00[^\x00]\x00|icns"),
        ("a JPEG XL picture", rb"\xff\x0a|\0\0\0\x0cJXL "),
        ("a JPEG 2000 picture", rb"\0\0\0\x0cjP  |\xffO\xffQ"),
        ("a Photoshop file", rb"8BPS"),
        ("a zip archive or Office document", rb"PK(\x03\x04|\x05\x06|\x07\x08)|\xd0\xcf\x11\xe0"),
        ("an archive", rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd"),
        ("an SVG drawing", rb"(<\?xml.*|<!--.*|<!doctype svg.*)?<svg\b"),
    )
)
