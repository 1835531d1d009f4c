"""A question that somebody may still ask ↔ what a button's row holds of it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bot.domain import Attachment, Offer, Proposal


def packed(proposal: Proposal) -> str:
    """What an offer of the action `ask` or `more` holds: all but the place and the person."""
    return json.dumps(
        {
            "text": proposal.text,
            "attachments": [asdict(each) for each in proposal.attachments],
            "options": dict(proposal.options),
            "source": proposal.source,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def unpacked(offer: Offer, author: str) -> Proposal:
    """The question of an offer, asked by whoever pressed; without words where it holds none."""
    held: Mapping[str, Any] = json.loads(offer.value) if offer.value else {}
    return Proposal(
        place=offer.place,
        author=author,
        text=held.get("text", ""),
        attachments=tuple(Attachment(**each) for each in held.get("attachments", ())),
        options=held.get("options", {}),
        source=held.get("source", "") or offer.message,
    )
