"""An interaction as Discord tells of it → what we need to know of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.discord.administrators import ADMINISTRATOR, manager
from adapters.discord.events import PLATFORM, attachment, roles_of
from adapters.discord.hooks import Hook
from adapters.discord.places import DIRECT, Place, Places
from adapters.discord.wire import Json, item, items, mapping, number, snowflake, string
from bot.domain import Attachment, Command, Person, ThreadId

USED, PRESSED, SUBMITTED = 2, 3, 5  # interaction types: a command, a button, a form
ON_MESSAGE = 3  # the command type of an entry in a message's menu
SUBCOMMAND, FILE = 1, 11  # option types
IN_SERVER, WITH_BOT, ELSEWHERE = 0, 1, 2  # interaction contexts

SEE, WRITE, WRITE_IN_THREADS = 1 << 10, 1 << 11, 1 << 38

PRIVATE = "@private"
"""The workspace of conversations between others, into which only an interaction reaches."""
UPLOAD_BYTES = 10 << 20  # of one file, where Discord does not say


@dataclass(frozen=True, slots=True)
class Interaction:
    """Somebody used a command, pressed a button or sent a form."""

    id: str
    kind: int
    hook: Hook
    place: Place
    workspace: str
    person: Person
    present: bool
    """Whether the bot itself is in this place, rather than the person's own copy of it."""
    may_post: bool
    data: Json = field(repr=False)
    message: Json = field(repr=False)
    """The message under which a button was pressed."""
    direct: bool = False
    upload_bytes: int = UPLOAD_BYTES

    @property
    def channel(self) -> str:
        return self.place.parent if self.place.is_thread else self.place.id

    @property
    def groups(self) -> tuple[str, ...]:
        return self.person.groups

    @property
    def spot(self) -> ThreadId:
        """The thread that it was used in, or the channel."""
        root = self.place.id if self.place.is_thread else ""
        return ThreadId(PLATFORM, self.workspace, self.channel, root)

    def command(
        self,
        name: str,
        *,
        text: str = "",
        attachments: tuple[Attachment, ...] = (),
        options: Mapping[str, str] | None = None,
        message: str = "",
    ) -> Command:
        """A command of this person in this place."""
        return Command(
            name=name,
            platform=PLATFORM,
            workspace=self.workspace,
            channel=self.channel,
            author=self.person.id,
            root=self.spot.root or None,
            text=text,
            attachments=attachments,
            options=options or {},
            message=message,
            groups=self.groups,
            administrator=self.person.administrator,
            direct=self.direct,
        )


def heard(data: Json, places: Places) -> Interaction:
    """An interaction, parsed."""
    guild = snowflake(data, "guild_id")
    place = place_of(data, guild, places)
    present = is_present(data)
    direct = not guild and number(data, "context") in (WITH_BOT, None)
    return Interaction(
        id=snowflake(data, "id"),
        kind=number(data, "type") or 0,
        hook=Hook(snowflake(data, "application_id"), string(data, "token")),
        place=place,
        workspace=guild or (DIRECT if direct else PRIVATE),
        person=person(data, places.groups(place, roles_of(data)), trusted=present),
        present=present,
        may_post=present and may_post(data, place),
        data=item(data, "data"),
        message=item(data, "message"),
        direct=direct,
        upload_bytes=number(data, "attachment_size_limit") or UPLOAD_BYTES,
    )


def place_of(data: Json, guild: str, places: Places) -> Place:
    """Where it was used, by what the interaction itself says of its channel."""
    channel = item(data, "channel")
    name = snowflake(data, "channel_id") or snowflake(channel, "id")
    known = places.get(name)
    if known is not None:
        return known
    kind = number(channel, "type")
    return Place(name, guild, kind or 0, snowflake(channel, "parent_id"))


def is_present(data: Json) -> bool:
    """Whether the bot was added to this place, or only to the person's own account."""
    if number(data, "context") == ELSEWHERE:
        return False
    owners = item(data, "authorizing_integration_owners")
    return not owners or "0" in owners or number(data, "context") == WITH_BOT


def may_post(data: Json, place: Place) -> bool:
    """Whether the bot may write here by itself, as far as Discord tells."""
    if not place.guild or not string(data, "app_permissions").isdecimal():
        return True
    may = int(string(data, "app_permissions"))
    needed = SEE | (WRITE_IN_THREADS if place.is_thread else WRITE)
    return bool(may & ADMINISTRATOR) or may & needed == needed


def person(data: Json, ids: tuple[str, ...], *, trusted: bool) -> Person:
    """Who used it: a member of a server, or somebody in direct messages.

    Whoever manages a server is an administrator of the bot that is in it; their own copy of the bot, which they
    may take into a server of their own making, answers to its installer alone.
    """
    member = item(data, "member")
    user = user_of(data)
    manages = trusted and manager(string(member, "permissions"))
    return Person(snowflake(user, "id"), ids, administrator=manages)


def user_of(data: Json) -> Json:
    return item(item(data, "member"), "user") or item(data, "user")


def leaf(data: Json) -> tuple[str, str, list[Json]]:
    """The command's name, its subcommand's, and its options."""
    name, options = string(data, "name"), items(data, "options")
    if options and number(options[0], "type") == SUBCOMMAND:
        return name, string(options[0], "name"), items(options[0], "options")
    return name, "", options


def uploaded(data: Json, options: list[Json]) -> tuple[Attachment, ...]:
    """The files among a command's options, in the order of their numbers."""
    resolved = item(item(data, "resolved"), "attachments")
    chosen = sorted(
        (option for option in options if number(option, "type") == FILE),
        key=lambda option: (len(string(option, "name")), string(option, "name")),
    )
    files = [mapping(resolved.get(str(option.get("value")))) for option in chosen]
    return tuple(attachment(file) for file in files if file)


def words(options: list[Json]) -> dict[str, str]:
    """The options that are no files."""
    return {
        string(option, "name"): str(option.get("value", "")).strip()
        for option in options
        if number(option, "type") != FILE
    }


def target(data: Json) -> Json:
    """The message that a menu's entry points at; Discord shows us its content whatever we may read else."""
    return item(item(item(data, "resolved"), "messages"), snowflake(data, "target_id"))
