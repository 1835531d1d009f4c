"""`slack`, `discord`, or both: listening and answering until told to stop."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from pydantic import SecretStr

from bot.command_line.health import healthy_on
from bot.command_line.opening import opened
from bot.command_line.printing import OFFLINE_NOTE
from bot.command_line.slack import opens_port, slack
from bot.engine import Engine, assembled
from bot.errors import SetupError
from bot.ports import Adapter
from bot.settings import Settings

NO_PLATFORM = (
    "No platform is set up: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN (docs/slack.md) or DISCORD_TOKEN "
    "(docs/discord.md); `python -m bot demo` needs neither."
)


async def serve(parsed: argparse.Namespace, settings: Settings) -> int:
    """Serves platforms until told to stop; answers under way are finished first."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        adapters = {
            name: await stack.enter_async_context(PLATFORMS[name](settings, session))
            for name in parsed.platforms or configured(settings)
        }
        store = await stack.enter_async_context(opened(settings, exclusive=True))
        engine = await stack.enter_async_context(assembled(settings, store, adapters))
        if engine.offline:
            print(OFFLINE_NOTE, file=sys.stderr)
        port = port_for_health(settings, adapters)
        await stack.enter_async_context(healthy_on(port, lambda: store.last_seen("")))
        settle_down()
        await attend(engine)
    return 0


def port_for_health(settings: Settings, platforms: Collection[str]) -> int | None:
    """Where a host expects somebody to listen though no platform does; else None."""
    by_http = "slack" in platforms and opens_port(settings)
    return settings.port if settings.port_given and not by_http else None


def configured(settings: Settings) -> list[str]:
    """The platforms whose secrets are set; raises SetupError when there is none."""
    names = []
    if settings.slack_configured:
        names.append("slack")
    if settings.discord_token:
        names.append("discord")
    if not names:
        raise SetupError(NO_PLATFORM)
    return names


@asynccontextmanager
async def discord(settings: Settings, session: aiohttp.ClientSession) -> AsyncIterator[Adapter]:
    """Discord by its gateway."""
    from adapters.discord import DiscordAdapter

    adapter = DiscordAdapter(
        token=needed(settings.discord_token, "DISCORD_TOKEN", "discord"),
        api_url=settings.discord_api_url,
        session=session,
        max_file_bytes=settings.max_file_bytes,
        download_seconds=settings.download_seconds,
    )
    try:
        yield adapter
    finally:
        await adapter.close()


# Their SDKs are slow to load, so each is loaded by whoever serves it.
PLATFORMS = {"slack": slack, "discord": discord}


def needed(value: SecretStr | None, name: str, platform: str) -> str:
    """A secret without which a platform cannot be served."""
    if value is None:
        raise SetupError(f"{name} is not set: docs/{platform}.md says where to find it.")
    return value.get_secret_value()


def settle_down() -> None:
    """Takes what was loaded out of the search for garbage: looking through all of it again held everybody up for 70 ms."""
    gc.collect()
    gc.freeze()


async def attend(engine: Engine) -> None:
    """Listens and works until a signal comes or a platform turns us away."""
    worker = engine.worker()
    desk = engine.desk(worker)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    listeners = [asyncio.create_task(adapter.listen(desk)) for adapter in engine.adapters.values()]
    work = asyncio.create_task(worker.run())
    stop = asyncio.create_task(told.wait())
    await asyncio.wait((stop, work, *listeners), return_when=asyncio.FIRST_COMPLETED)
    # The adapters go last: answers under way are still posted through them.
    worker.stop()
    await asyncio.gather(work, return_exceptions=True)
    for task in (stop, *listeners):
        task.cancel()
    ended = await asyncio.gather(work, *listeners, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
