"""What an interaction asks for: a command for the desk, or a question in somebody's name. Pure."""

from adapters.discord.definitions import ESTIMATE, ESTIMATE_MENU, VISION
from adapters.discord.events import attachments_of, readable
from adapters.discord.interactions import (
    ON_MESSAGE,
    Interaction,
    leaf,
    target,
    uploaded,
    words,
)
from adapters.discord.wire import Json, item, number, snowflake
from bot.domain import Command, Proposal, ThreadId

HAS_THREAD = 1 << 5
QUOTED = 1000  # characters of a message that a question is about, where only an interaction reaches


def command(used: Interaction) -> Command:
    """A command as the bot knows it."""
    name, under, options = leaf(used.data)
    if number(used.data, "type") == ON_MESSAGE:
        message = target(used.data)
        return used.command(
            ESTIMATE if name == ESTIMATE_MENU else name,
            attachments=attachments_of(message),
            options={"question": question_in(used, message)},
            message=snowflake(message, "id"),
        )
    values = words(options)
    if name == VISION:
        return used.command(under or "help", text=spoken(under, values))
    return used.command(
        name,
        text=values.pop("size", ""),
        attachments=uploaded(used.data, options),
        options={key: value for key, value in values.items() if value},
    )


def spoken(name: str, values: dict[str, str]) -> str:
    """The options of a subcommand as somebody would write them in a thread."""
    order = {"usage": ("of", "since"), "settings": ("where", "name", "value")}
    return " ".join(values[key] for key in order.get(name, ()) if values.get(key))


def asked(used: Interaction) -> Proposal:
    """The question of `/ask`."""
    options = leaf(used.data)[2]
    values = words(options)
    return Proposal(
        place=used.spot,
        author=used.person.id,
        text=values.pop("question", ""),
        attachments=uploaded(used.data, options),
        options={key: value for key, value in values.items() if value},
    )


def about_message(used: Interaction, message: Json, question: str) -> Proposal:
    """A question about a message: in its thread where it has one, else right behind it."""
    place = used.spot
    name = snowflake(message, "id")
    has_thread = (number(message, "flags") or 0) & HAS_THREAD or item(message, "thread")
    if has_thread and used.may_post and not used.place.is_thread and used.place.guild:
        place = ThreadId(place.platform, place.workspace, place.channel, name)
    said = question_in(used, message)
    if question and said and not used.may_post:
        # Nobody can read it there later, so it goes along.
        question = "\n".join(f"> {line}" for line in said[:QUOTED].splitlines()) + f"\n{question}"
    return Proposal(
        place=place,
        author=used.person.id,
        text=question,
        attachments=attachments_of(message),
        source=name,
    )


def question_in(used: Interaction, message: Json) -> str:
    return readable(message, used.hook.application, frozenset())
