"""Reading Discord's JSON: what is missing or of another type reads as empty."""

from collections.abc import Mapping
from typing import cast

Json = Mapping[str, object]

ID_DIGITS = 20  # of a number of 64 bits


def item(data: object, key: str) -> Json:
    """The object under a key."""
    return mapping(data.get(key)) if isinstance(data, Mapping) else {}


def mapping(value: object) -> Json:
    """The value, if it is an object."""
    return cast(Json, value) if isinstance(value, Mapping) else {}


def items(data: Json, key: str) -> list[Json]:
    """The objects in the list under a key."""
    return listed(data.get(key))


def listed(value: object) -> list[Json]:
    """The objects in a list."""
    return [mapping(each) for each in value if each] if isinstance(value, list) else []


def string(data: Json, key: str) -> str:
    """The text under a key."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def strings(data: Json, key: str) -> list[str]:
    """The texts in the list under a key."""
    value = data.get(key)
    return [str(each) for each in value] if isinstance(value, list) else []


def number(data: Json, key: str) -> int | None:
    """The whole number under a key."""
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def snowflake(data: Json, key: str) -> str:
    """The id under a key; empty when it is none."""
    value = str(data.get(key) or "")
    return value if value.isdecimal() and value.isascii() and len(value) <= ID_DIGITS else ""


def numbers(data: Json, key: str) -> list[int]:
    """The whole numbers in the list under a key."""
    value = data.get(key)
    return [each for each in value if isinstance(each, int)] if isinstance(value, list) else []
