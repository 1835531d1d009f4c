"""Commands, buttons and forms: acknowledged at once, handed to the desk, answered where only who used them sees it."""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace

from adapters.discord import definitions, modals, render
from adapters.discord.definitions import ASK, ASK_MENU
from adapters.discord.erasing import erase
from adapters.discord.hooks import Hooks
from adapters.discord.interactions import (
    PRESSED,
    SUBMITTED,
    USED,
    Interaction,
    heard,
    target,
)
from adapters.discord.lately import Lately
from adapters.discord.looks import SUPPRESS_EMBEDS, Looks
from adapters.discord.markup import File, described
from adapters.discord.places import Places
from adapters.discord.proposals import Asked, Proposals
from adapters.discord.refusals import Refused
from adapters.discord.rest import Rest
from adapters.discord.sight import NEEDS_MENTION, Sight
from adapters.discord.wire import Json, snowflake, string
from adapters.discord.wishes import about_message, asked, command
from bot.domain import Attachment, Card, Proposal
from bot.errors import ThreadsightError
from bot.ports import Desk

DEFER, DEFER_QUIETLY = (
    5,
    6,
)  # callback types: the answer comes later, shown as `thinking` or not at all
EPHEMERAL = 1 << 6
ANSWER_SECONDS = 60.0
PRESS_SECONDS = 1.5  # of the three that Discord waits, for what a button stands for
TARGETS = 200  # messages under a form that is open, kept in mind

BROKEN = "Something broke while I worked on this. Please try again."
LOST_TARGET = "I no longer know which message this was about: please choose it again."
PRESS_AGAIN = "That took too long. Please press again."
TWICE = "You asked this a moment ago; it is asked once."
WORDS = "{why}\n\nYou wrote:\n\n{words}"

log = logging.getLogger("threadsight.discord")


class Commands:
    """Hears interactions and answers them."""

    def __init__(
        self, *, rest: Rest, hooks: Hooks, places: Places, proposals: Proposals, sight: Sight
    ) -> None:
        self._sight = sight
        self._rest = rest
        self._hooks = hooks
        self._places = places
        self._proposals = proposals
        self._targets: dict[str, Json] = {}
        """By id, messages that somebody is asking about in a form."""
        self._sent: Lately[bool] = Lately(TARGETS)
        """By form and words, whether it was asked already: people send a form again when they see no answer."""

    async def register(self, application: str) -> None:
        """Tells Discord our commands, if it knows others: it counts how often an app creates some."""
        path = "/applications/{application_id}/commands"
        known = await self._rest.list(path, application_id=application)
        for where in (definitions.EVERYWHERE, definitions.IN_SERVERS):
            wanted = definitions.definitions(where)
            if definitions.same(known, wanted):
                return
            try:
                told = [*wanted, *definitions.kept(known)]
                await self._rest.call("PUT", path, json=told, application_id=application)
                return
            except Refused:
                # An application may be closed to people's own accounts.
                if where is definitions.IN_SERVERS:
                    raise

    async def hear(self, data: Json, desk: Desk) -> None:
        """Answers one interaction; never raises."""
        try:
            await self._hear(heard(data, self._places), desk)
        except (ThreadsightError, TimeoutError) as error:
            log.warning("interaction unanswered: %s", type(error).__name__)
        except Exception as error:
            # Whatever Discord sends, the next interaction is heard.
            log.error("interaction broke: %s", type(error).__name__)

    async def _hear(self, used: Interaction, desk: Desk) -> None:
        if used.kind == PRESSED:
            await self._pressed(used, desk)
        elif used.kind == SUBMITTED:
            await self._submitted(used, desk)
        elif used.kind == USED:
            name = string(used.data, "name")
            if name == ASK_MENU:
                await self._show_form(used, desk)
            elif name == ASK:
                await self._ask(used, asked(used), desk)
            else:
                await self._run(used, desk)

    async def _run(self, used: Interaction, desk: Desk) -> None:
        """A command that the desk answers."""
        if await self._acknowledge(used, DEFER):
            wanted = command(used)
            card = await answered(desk.run(wanted))
            if card is not None and wanted.name == "help" and not self._sight.full:
                card = replace(card, text=f"{card.text}\n\n{NEEDS_MENTION}")
            if card is not None:
                await self._answer(used, card)

    async def _ask(self, used: Interaction, proposal: Proposal, desk: Desk) -> None:
        """A question by a command."""
        if await self._take(used):
            await self._put(used, proposal, desk)

    async def _take(self, used: Interaction) -> bool:
        """Acknowledges a question; all see its answer wherever the interaction itself carries that."""
        return await self._acknowledge(used, DEFER, private=used.may_post)

    async def _put(
        self,
        used: Interaction,
        proposal: Proposal,
        desk: Desk,
        new: tuple[Attachment, ...] = (),
    ) -> bool:
        """Asks, and tells whoever asked what only they need to know; whether it was asked."""
        done = await self._asked(used, proposal, desk, original=not used.may_post, new=new)
        card = done.card
        if card is not None and not done.posted and used.kind == SUBMITTED:
            # The form in which it was typed is gone.
            card = with_words(card, proposal.text)
        if card is not None:
            await self._whisper(used, card)
        return done.posted

    async def _whisper(self, used: Interaction, card: Card) -> None:
        """Shows a card to whoever asked, and to nobody else."""
        if used.may_post:
            await self._answer(used, card)
            return
        with suppress(ThreadsightError):
            await self._hooks.delete(used.hook)
        await self._follow_up(used, card)

    async def _show_form(self, used: Interaction, desk: Desk) -> None:
        """“Ask about this”: a form for the question, for those who may ask."""
        if denial := await desk.denial(used.spot, used.person):
            if await self._acknowledge(used, DEFER):
                await self._answer(used, denial)
            return
        message = target(used.data)
        name = snowflake(message, "id") or snowflake(used.data, "target_id")
        self._remember(name, message)
        form = modals.form(name, used.id, pictures=False)
        await self._hooks.acknowledge(used.id, used.hook, form)

    async def _submitted(self, used: Interaction, desk: Desk) -> None:
        """A form that somebody sent: about a message, or to ask on in a conversation."""
        sent = f"{string(used.data, 'custom_id')} {modals.question_of(used.data)}"
        twice = bool(self._sent.get(sent))
        self._sent.keep(sent, True)
        if not await self._take(used):
            self._sent.keep(sent, twice)
        elif twice:
            await self._whisper(used, Card("", TWICE))
        else:
            self._sent.keep(sent, await self._ask_by_form(used, desk))

    async def _ask_by_form(self, used: Interaction, desk: Desk) -> bool:
        """Whether the question of a form was asked."""
        told = await self._wanted(used, desk)
        if isinstance(told, Proposal):
            return await self._put(used, told, desk, modals.pictures_of(used.data))
        await self._whisper(used, told)
        return False

    async def _wanted(self, used: Interaction, desk: Desk) -> Proposal | Card:
        """The question of a form, or why there is none."""
        name, question = modals.subject_of(used.data), modals.question_of(used.data)
        if name.isdecimal():
            about = await self._target(used, name)
            return about_message(used, about, question) if about else Card("", LOST_TARGET)
        # The button's token is the form's: pressing it once more tells where the conversation is.
        told = await answered_press(desk, name, used)
        if isinstance(told, Proposal):
            return replace(told, text=question)
        return told or Card("", BROKEN)

    async def _pressed(self, used: Interaction, desk: Desk) -> None:
        """A button: what it stands for is asked first, since a form can only be shown at once."""
        message = snowflake(used.message, "id")
        # Whoever answers anew may be done before Discord has said that it heard us.
        before = self._hooks.renew(message, used.hook)
        pressing = asyncio.ensure_future(answered_press(desk, string(used.data, "custom_id"), used))
        await asyncio.wait([pressing], timeout=PRESS_SECONDS)
        told = pressing.result() if pressing.done() else None
        if isinstance(told, Proposal) and not told.text.strip():
            form = modals.form(string(used.data, "custom_id"), used.id, pictures=True)
            # An interaction that shows a form writes nothing else.
            self._hooks.restore(message, before)
            await self._hooks.acknowledge(used.id, used.hook, form)
            return
        known = await self._acknowledge(used, DEFER_QUIETLY)
        if not known:
            self._hooks.restore(message, before)
        told = await pressing
        if not known:
            return
        if isinstance(told, Proposal):
            await self._press_asks(used, told, desk)
        elif told is not None:
            await self._follow_up(used, told)

    async def _press_asks(self, used: Interaction, proposal: Proposal, desk: Desk) -> None:
        """“Ask now” under a card: the question is posted, and the card's buttons are done."""
        if not proposal.text.strip():
            await self._follow_up(used, Card("", PRESS_AGAIN))
            return
        done = await self._asked(used, proposal, desk, original=False)
        if done.posted:
            with suppress(ThreadsightError):
                await self._hooks.edit(used.hook, {"components": []})
        elif done.card is not None:
            await self._follow_up(used, done.card)

    async def _asked(
        self,
        used: Interaction,
        proposal: Proposal,
        desk: Desk,
        *,
        original: bool,
        new: tuple[Attachment, ...] = (),
    ) -> Asked:
        try:
            return await self._proposals.ask(used, proposal, desk, original=original, new=new)
        except ThreadsightError as error:
            return Asked(False, Card("", error.sentence))
        except Exception as error:
            log.error("a question broke: %s", type(error).__name__)
            return Asked(False, Card("", BROKEN))

    async def _acknowledge(self, used: Interaction, how: int, *, private: bool = True) -> bool:
        """Whether Discord still waits for the answer."""
        payload: Json = {"type": how}
        if how == DEFER:
            payload = {**payload, "data": {"flags": EPHEMERAL if private else 0}}
        return await self._hooks.acknowledge(used.id, used.hook, payload)

    async def _answer(self, used: Interaction, card: Card) -> None:
        """Shows a card as the interaction's own answer, and what does not fit behind it."""
        first, *more = carded(card)
        await self._send(used, first, original=True)
        for looks in more:
            await self._send(used, looks, original=False)
        await self._erase(used, card)

    async def _follow_up(self, used: Interaction, card: Card) -> None:
        for looks in carded(card):
            await self._send(used, looks, original=False)
        await self._erase(used, card)

    async def _send(self, used: Interaction, looks: Looks, *, original: bool) -> None:
        try:
            await self._send_whole(used, looks, original=original)
        except Refused:
            if not looks.files:
                raise
            # Better without its picture than not at all.
            await self._send_whole(used, replace(looks, files=()), original=original)

    async def _send_whole(self, used: Interaction, looks: Looks, *, original: bool) -> None:
        payload = dict(looks.payload)
        if looks.files:
            payload["attachments"] = described(looks.files)
        if original:
            await self._hooks.edit(used.hook, payload, looks.files)
        else:
            payload["flags"] = SUPPRESS_EMBEDS | EPHEMERAL
            await self._hooks.follow_up(used.hook, payload, looks.files)

    async def _erase(self, used: Interaction, card: Card) -> None:
        """Deletes posts of ours, since what they answered is gone."""
        if card.erased:
            await erase(card.erased, used.person.id, rest=self._rest, hooks=self._hooks)

    def _remember(self, name: str, message: Json) -> None:
        self._targets[name] = message
        while len(self._targets) > TARGETS:
            del self._targets[next(iter(self._targets))]

    async def _target(self, used: Interaction, name: str) -> Json | None:
        """The message under a form; after a restart it is read again where the bot may."""
        known = self._targets.get(name)
        if known:
            return known
        if not used.may_post:
            return None
        with suppress(ThreadsightError):
            return await self._rest.get(
                "/channels/{channel_id}/messages/{message_id}",
                channel_id=used.place.id,
                message_id=name,
            )
        return None


async def answered(answer: Awaitable[Card | Proposal | None]) -> Card | None:
    """What the desk says, or why it cannot."""
    told = await answered_or_asked(answer)
    return None if isinstance(told, Proposal) else told


async def answered_press(desk: Desk, token: str, used: Interaction) -> Card | Proposal | None:
    """What a button stands for, or why it cannot be said."""
    return await answered_or_asked(desk.press(token, used.person))


async def answered_or_asked(
    answer: Awaitable[Card | Proposal | None],
) -> Card | Proposal | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer
    except ThreadsightError as error:
        return Card("", error.sentence)
    except Exception as error:
        # Somebody waits for an answer, whatever is wrong with us; the log says what it was.
        log.error("interaction broke: %s", type(error).__name__)
        return Card("", BROKEN)


def with_words(card: Card, words: str) -> Card:
    """A card that gives somebody back what they wrote."""
    text = WORDS.format(why=card.text, words=words) if render.legible(words) else card.text
    return replace(card, text=text)


def carded(card: Card) -> list[Looks]:
    """A card as messages: its drawing and its buttons stand under the last."""
    contents = render.card(card)
    drawing = card.drawing
    files = (File(drawing.name, drawing.data, drawing.alt),) if drawing else ()
    looks = [Looks(content) for content in contents[:-1]]
    return [*looks, Looks(contents[-1], card.buttons, files)]
