"""What a post of ours shows, as Discord's requests say it. Pure."""

from dataclasses import dataclass

from adapters.discord import render
from adapters.discord.markup import File
from bot.domain import Button

SUPPRESS_EMBEDS = 1 << 2
NO_MENTIONS = {"parse": [], "replied_user": False}


@dataclass(frozen=True, slots=True)
class Looks:
    """What a post shows: its content, and the buttons under it."""

    content: str
    buttons: tuple[Button, ...] = ()
    files: tuple[File, ...] = ()

    @property
    def payload(self) -> dict[str, object]:
        """The part of a request that shows it; nothing in it calls or previews anything."""
        return {
            "content": self.content,
            "components": render.components(self.buttons),
            "flags": SUPPRESS_EMBEDS,
            "allowed_mentions": NO_MENTIONS,
        }


def dressed(
    contents: list[str], buttons: tuple[Button, ...], files: tuple[File, ...] = ()
) -> list[Looks]:
    """The posts of a reply; the files and the buttons stand under the last."""
    looks = [Looks(content) for content in contents]
    return [*looks[:-1], Looks(contents[-1], buttons, files)] if contents else []
