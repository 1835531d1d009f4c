"""`settings`: what holds in a place, where it comes from, and changing it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot import terms
from bot.access import Access
from bot.domain import Card, Command, Level, Person
from bot.ports import Store
from bot.presets import PRESETS
from bot.pricing import dollars
from bot.terms import MONEY, NONE, OUTWARDS, SETTINGS, UNPRICED, Terms

RESET = "reset"
SHOWN = 120  # characters of a long value
TITLE = "Settings"
WHERE: Mapping[Level, str] = {
    "thread": "this thread",
    "channel": "this channel",
    "workspace": "this workspace",
    "environment": "environment",
}
HOW = (
    "Change one with `/vision settings channel detail low`, take it back with "
    "`/vision settings channel detail reset`; instead of `channel` also `workspace`; in a thread "
    "mention me with `settings thread detail low`. The nearest wins. Administrators set what holds for a "
    "channel and the workspace, whoever asked in a thread what holds there."
)
NO_SUCH = "There is no setting `{name}`; there are {names}."
NO_THREAD = (
    "This is no thread: write `settings {name} …` in one, or name the level: `settings channel "
    "{name} …`."
)
NOT_THERE = "`{name}` cannot be set for a {level}, only for a {levels}."
ADMINISTRATORS = "Only an administrator can set this for {where}: ask {whom}."
ASKERS = "Only somebody who has asked in this thread, or an administrator, can set this here."
LONGER = "It can only be shortened here: {days} days hold. Ask {whom} to keep threads longer."
FAULT = "`{name}` does not take `{value}`; it should be {wants}."


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to see or to set."""

    level: Level | None = None
    """None where it was not said."""
    name: str = ""
    value: str = ""
    """Empty to see it."""

    @classmethod
    def of(cls, command: Command) -> "Wish":
        """What was typed, or chosen in a form's fields `level`, `name` and `value`."""
        fields = (command.options.get(each, "") for each in ("level", "name", "value"))
        words = (command.text or " ".join(part for part in fields if part)).split(None, 1)
        level = next((each for each in OUTWARDS if words and words[0].lower() == each), None)
        if level:
            words = words[1].split(None, 1) if len(words) > 1 else []
        name = words[0].lower().replace("-", "_") if words else ""
        return cls(level, name, words[1].strip() if len(words) > 1 else "")


class Choosing:
    """Shows and changes what holds in a place."""

    def __init__(
        self, store: Store, base: Terms, access: Access, priced: Callable[[str], bool]
    ) -> None:
        self.store = store
        self.base = base
        self.access = access
        self.priced = priced
        """Whether a model's price is known."""

    async def card(self, command: Command) -> Card:
        """What holds, or what was changed, or why it was not."""
        wish, place = Wish.of(command), command.place
        if wish.name and wish.name not in SETTINGS:
            names = ", ".join(f"`{name}`" for name in SETTINGS)
            return Card(TITLE, NO_SUCH.format(name=terms.shown(wish.name), names=names))
        chosen = await self.store.choices(place)
        if not wish.name:
            return Card(TITLE, "\n".join([*self.lines(chosen), "", HOW]))
        if not wish.value:
            return Card(TITLE, self.one(wish.name, chosen))
        level = wish.level or ("thread" if place.root else "channel")
        fault = await self.fault(wish, level, command, chosen)
        if fault:
            return Card(TITLE, fault)
        value = None if wish.value.lower() == RESET else wish.value
        await self.store.choose(place, level, wish.name, value)
        return Card(TITLE, self.changed(wish.name, level, await self.store.choices(place)))

    def lines(self, chosen: Mapping[Level, Mapping[str, str]]) -> list[str]:
        """Each setting, its value, and where that comes from."""
        here = terms.held(self.base, chosen)
        return [
            f"- `{name}` {worded(name, here)} ({self.origin(name, chosen)})" for name in SETTINGS
        ]

    def one(self, name: str, chosen: Mapping[Level, Mapping[str, str]]) -> str:
        """One setting in full, with what it takes."""
        here, setting = terms.held(self.base, chosen), SETTINGS[name]
        words = (
            f"`{name}` is {worded(name, here, whole=True)} ({self.origin(name, chosen)}): "
            f"{setting.meaning}. It takes {setting.kind.wants}."
        )
        return "\n".join([words, *presets()]) if name == "preset" else words

    def origin(self, name: str, chosen: Mapping[Level, Mapping[str, str]]) -> str:
        """Where a value comes from, in words."""
        level = terms.source(name, chosen)
        here = terms.held(self.base, chosen)
        if name == "detail" and here.ready_made and terms.preset_decides(chosen):
            return f"preset {here.preset}, {WHERE[terms.source('preset', chosen)]}"
        return WHERE[level]

    async def fault(
        self,
        wish: Wish,
        level: Level,
        command: Command,
        chosen: Mapping[Level, Mapping[str, str]],
    ) -> str:
        """Why this cannot be set there by this person; empty when it can."""
        setting, value = SETTINGS[wish.name], wish.value
        if level not in setting.levels:
            levels = " or a ".join(each for each in OUTWARDS if each in setting.levels)
            return NOT_THERE.format(name=wish.name, level=level, levels=levels)
        if level == "thread" and not command.root:
            return NO_THREAD.format(name=wish.name)
        administrator = await self.access.administers(
            command.platform, command.workspace, person_of(command)
        )
        if not administrator and (refusal := await self.refusal(wish.name, level, command)):
            return refusal
        if value.lower() == RESET:
            return ""
        try:
            wanted = setting.kind.read(value)
        except ValueError as error:
            return FAULT.format(name=wish.name, value=terms.shown(value), wants=error)
        if administrator:
            return ""
        above = terms.held(self.base, {**chosen, level: {}})
        if wish.name == "retention" and isinstance(wanted, int) and wanted > above.retention:
            whom = self.access.whom(command.platform)
            return LONGER.format(days=above.retention, whom=whom)
        if wish.name == "model" and terms.unheld(above, value, self.priced):
            whom = self.access.whom(command.platform)
            return f"{value} was not taken: {UNPRICED}; ask {whom} to set it."
        return ""

    async def refusal(self, name: str, level: Level, command: Command) -> str:
        """Why somebody who is no administrator cannot set this there; empty when they can."""
        if level == "thread":
            asker = await self.store.participation(command.place, command.author)
            return "" if asker == "asker" else ASKERS
        if level == "channel" and command.direct and name not in MONEY:
            # A direct message is the person's own place.
            return ""
        whom = self.access.whom(command.platform)
        return ADMINISTRATORS.format(where=WHERE[level], whom=whom)

    def changed(self, name: str, level: Level, chosen: Mapping[Level, Mapping[str, str]]) -> str:
        """What holds now, also where it is not what was set."""
        here = terms.held(self.base, chosen)
        words = f"`{name}` is now {worded(name, here)} here ({self.origin(name, chosen)})."
        now = terms.source(name, chosen)
        if now in OUTWARDS and OUTWARDS.index(now) < OUTWARDS.index(level):
            words += f" What is set for {WHERE[level]} holds where nothing nearer is set."
        if name == "model" and here.capped and not self.priced(here.model):
            words += f" Mind that {UNPRICED}."
        if name == "preset" and here.ready_made and here.ready_made.warning:
            words += f" Each answer says: {here.ready_made.warning}."
        return words


def presets() -> list[str]:
    """What each preset is for."""
    return [
        f"- `{name}`: {each.title}, detail {each.detail}"
        + (f"; each answer says: {each.warning}" if each.warning else "")
        for name, each in PRESETS.items()
    ]


def person_of(command: Command) -> Person:
    """Who gave a command."""
    return Person(command.author, command.groups, command.administrator)


def worded(name: str, here: Terms, *, whole: bool = False) -> str:
    """A value as people read it."""
    value = getattr(here, name)
    if value is None or value == "":
        return f"**{NONE}**"
    if isinstance(value, Decimal):
        return f"**{dollars(value)}**"
    if isinstance(value, int):
        return f"**{value:,}**"
    if name != "instructions":
        return f"**{value}**"
    words = " ".join(str(value).split())
    return f"“{words if whole or len(words) <= SHOWN else words[:SHOWN] + ' …'}”"
