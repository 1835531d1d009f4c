"""Cards → answers that only one person sees, by whichever way Slack leaves open."""

import asyncio
import logging
from urllib.parse import urlsplit

import aiohttp

from adapters.slack import blocks
from adapters.slack.api import Api, is_loopback
from adapters.slack.blocks import Block
from adapters.slack.drawings import upload
from adapters.slack.events import text
from adapters.slack.modals import Spot
from adapters.slack.thread import Thread, erase
from bot.domain import Card, ThreadId
from bot.errors import ThreadsightError

ANSWER_SECONDS = 10.0
LOOKED_INTO = 50  # threads in which the bot looks for questions that it posted for somebody
DRAWN_PAUSES = (0.0, 1.0, 2.0)  # seconds before each try: Slack needs a moment for a new picture

log = logging.getLogger("threadsight.slack")


class Replies:
    """Shows cards."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def show(self, spot: Spot, card: Card, more: tuple[Block, ...] = ()) -> None:
        """Shows a card to the person who asked, and deletes what it says is erased."""
        drawing = await upload(self.api, card.drawing) if card.drawing else ""
        shown = blocks.card(card, drawing, more)
        if drawing:
            for pause in DRAWN_PAUSES:
                await asyncio.sleep(pause)
                if await self.send(spot, shown):
                    break
            else:
                shown, drawing = blocks.card(card, "", more), ""
        # Whatever Slack may have against the blocks, it takes the text.
        if not drawing and not await self.send(spot, shown):
            await self.send(spot, {**shown, "blocks": []})
        for post in card.erased:
            await erase(self.api, post.thread.channel, [post.id])
        for place in list(dict.fromkeys(post.thread for post in card.erased))[:LOOKED_INTO]:
            await self.take_back(place, spot.person)

    async def take_back(self, place: ThreadId, person: str) -> None:
        """Deletes what the bot posted for this person in a thread: nobody else can."""
        try:
            found = (await Thread(self.api, place, person).replies()).messages
        except ThreadsightError as error:
            log.info("questions are not looked for: %s", type(error).__name__)
            return
        mine = [text(message, "ts") for message in found if blocks.asker(message) == person]
        await erase(self.api, place.channel, mine)

    async def dismiss(self, spot: Spot) -> None:
        """Takes away the card whose button was pressed, where only this person sees it."""
        if spot.url and not spot.fresh:
            await self.send(spot, {"delete_original": True})

    async def send(self, spot: Spot, message: Block) -> bool:
        """True unless Slack refuses the message itself."""
        url = urlsplit(spot.url)
        if url.scheme == "https" or (self.api.local and is_loopback(url.hostname)):
            return await self.respond(spot, message)
        return await self.whisper(spot, message)

    async def respond(self, spot: Spot, message: Block) -> bool:
        """Answers to the address that Slack gave for this very thing."""
        if "delete_original" not in message:
            message = {"replace_original": not spot.fresh, **message}
        if spot.root:
            message["thread_ts"] = spot.root
        try:
            async with self.api.session.post(
                spot.url,
                json=message,
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
                allow_redirects=False,
            ) as response:
                if response.status == 200:
                    return True
                log.warning("an answer was refused: %s", response.status)
                # It takes five answers within half an hour.
                spent = response.status in (404, 410)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("an answer was lost: %s", type(error).__name__)
            return True
        return await self.whisper(spot, message) if spent else False

    async def whisper(self, spot: Spot, message: Block) -> bool:
        """Posts what only one person sees."""
        if not spot.channel or not spot.person or "blocks" not in message:
            log.warning("something came without an address to answer to")
            return True
        try:
            await self.api.call(
                self.api.careful.chat_postEphemeral(
                    channel=spot.channel,
                    user=spot.person,
                    thread_ts=spot.root or None,
                    text=message["text"],
                    blocks=message["blocks"],
                )
            )
        except ThreadsightError as error:
            code = getattr(error, "code", "")
            log.info("a card is not shown: %s", code or type(error).__name__)
            return code not in blocks.REFUSED
        return True
