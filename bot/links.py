"""Addresses of pictures in a text, sent on as they are and never fetched by us. Pure."""

import re
from urllib.parse import urlsplit

from bot.domain import Attachment

ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\^{}]+", re.IGNORECASE)
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
MAX_LINKS = 10  # as many as platforms let people attach
MAX_ADDRESS = 2_000  # characters


def links_in(text: str) -> tuple[Attachment, ...]:
    """The addresses whose path ends like a picture's, in order, each once."""
    found = (trimmed(match.group()) for match in ADDRESS.finditer(text))
    pictures = list(dict.fromkeys(address for address in found if is_picture(address)))
    return tuple(
        Attachment(id=f"link:{address}", name=file_name(address), url=address, linked=True)
        for address in pictures[:MAX_LINKS]
    )


def trimmed(address: str) -> str:
    """Without the punctuation of the sentence around it, and without its fragment."""
    address = address.split("#", 1)[0].rstrip(".,;:!?*_~")
    while address.endswith((")", "]")) and address.count("(") + address.count("[") < (
        address.count(")") + address.count("]")
    ):
        address = address[:-1].rstrip(".,;:!?*_~")
    return address


def is_picture(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    # An address with a name or password in it is somebody's secret: it goes nowhere.
    return (
        bool(parts.hostname)
        and "@" not in parts.netloc
        and parts.path.lower().endswith(ENDINGS)
        and len(address) <= MAX_ADDRESS
    )


def file_name(address: str) -> str:
    return urlsplit(address).path.rsplit("/", 1)[-1]
