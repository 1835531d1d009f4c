"""Bytes → Image: sniff, bound, orient, shrink, strip."""

from bot.images.darkroom import Darkroom
from bot.images.preparing import measure, prepare, prepare_all, require_safe_decoders
from bot.images.wishes import Options

__all__ = ["Darkroom", "Options", "measure", "prepare", "prepare_all", "require_safe_decoders"]
