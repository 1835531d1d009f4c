"""Bytes → Image: sniff, bound, orient, shrink, strip."""

from bot.images.darkroom import Darkroom
from bot.images.outlines import Outline, of_pages
from bot.images.preparing import measure, outlined, prepare, prepare_all, require_safe_decoders
from bot.images.wishes import Options

__all__ = [
    "Darkroom",
    "Options",
    "Outline",
    "measure",
    "of_pages",
    "outlined",
    "prepare",
    "prepare_all",
    "require_safe_decoders",
]
