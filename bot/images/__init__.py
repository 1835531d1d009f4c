"""Bytes → Image: sniff, bound, orient, shrink, strip."""

from bot.images.preparing import measure, prepare, require_safe_pillow

__all__ = ["measure", "prepare", "require_safe_pillow"]
