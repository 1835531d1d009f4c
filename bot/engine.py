"""What answers, built and connected; whoever builds it brings the store and the adapters."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from pydantic import SecretStr

from bot import offline, tokens
from bot.access import Access, Asks, Lists
from bot.commands import Commands, Estimator
from bot.desk import Desk
from bot.domain import Ask, ThreadId
from bot.images import Darkroom, Options
from bot.looking import Eyes
from bot.model import ChatCompletions, Load, Shelf, links_allowed
from bot.offline import OfflineServer
from bot.ports import Adapter, Store
from bot.pricing import Prices
from bot.responder import Responder
from bot.rulebook import Rulebook
from bot.settings import Settings
from bot.terms import Terms
from bot.worker import Worker


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that answers, built and connected."""

    settings: Settings
    store: Store
    prices: Prices
    responder: Responder
    adapters: dict[str, Adapter]
    commands: Commands
    access: Access
    offline: bool
    server: OfflineServer | None = None
    """The offline model, where that answers."""

    async def warm(self, tell: Callable[[str], None]) -> None:
        """Loads the offline model ahead and tells of it, if that is what answers; raises SetupError."""
        if self.server is not None:
            await self.server.warm(tell)

    def worker(
        self,
        *,
        slots: int | None = None,
        max_failures: int = 3,
        outage_seconds: float = 3600,
        thread: ThreadId | None = None,
    ) -> Worker:
        """Whoever does the work."""
        return Worker(
            self.store,
            self.responder,
            tuple(self.adapters),
            slots=slots or self.settings.workers,
            lease_seconds=self.settings.lease_seconds,
            max_failures=max_failures,
            outage_seconds=outage_seconds,
            thread=thread,
        )

    def desk(self, worker: Worker) -> Desk:
        """Where the adapters hand in."""
        return Desk(
            self.store,
            self.commands,
            worker.wake,
            base=terms_of(self.settings),
            access=self.access,
            links=not self.offline and links_allowed(self.settings.model_url),
        )


@asynccontextmanager
async def assembled(
    settings: Settings, store: Store, adapters: dict[str, Adapter] | None = None
) -> AsyncIterator[Engine]:
    """Builds what answers; without a key or an address of a model the offline one serves."""
    # The vocabularies take a third of a second that nobody can share: now, when nobody waits.
    tokens.text("")
    tokens.text("", settings.model)
    offline_only = not settings.model_configured
    prices = Prices.load(settings.prices, free=offline_only)
    async with AsyncExitStack() as stack:
        url, server = settings.model_url, None
        if offline_only:
            server = await stack.enter_async_context(offline.serve())
            url = server.url
        # As many connections as questions; the default of 100 would make the others wait.
        connector = aiohttp.TCPConnector(limit=settings.workers)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        model = client(settings, session, url, prices, Shelf(store.load).load)
        adapters = {} if adapters is None else adapters
        darkroom = Darkroom(
            Options(settings.animations, settings.split_tall), max_bytes=settings.max_file_bytes
        )
        stack.callback(darkroom.close)
        base = terms_of(settings)
        access = Access(lists_of(settings), asking(adapters))
        estimator = Estimator(
            store,
            adapters,
            # What calls cost where a provider makes them: an estimate of nothing would help nobody.
            Prices.load(settings.prices) if offline_only else prices,
            max_file_bytes=settings.max_file_bytes,
            history_tokens=settings.history_tokens,
            darkroom=darkroom,
        )
        commands = Commands(store, base, prices, access, estimator, utc_now)
        rules = Rulebook(base, prices, utc_now, history_tokens=settings.history_tokens)
        eyes = Eyes(store, adapters, darkroom)
        responder = Responder(store, model, adapters, prices, rules, eyes, commands, access)
        yield Engine(
            settings, store, prices, responder, adapters, commands, access, offline_only, server
        )


def client(
    settings: Settings,
    session: aiohttp.ClientSession,
    url: str,
    prices: Prices,
    load: Load,
) -> ChatCompletions:
    """The model's API, at whatever address serves it."""
    return ChatCompletions(
        session,
        url,
        secret(settings.openai_api_key),
        prices,
        load,
        stall_seconds=settings.stall_seconds,
        limit_field=settings.limit_field,
        offline=prices.free,
    )


def secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None


def utc_now() -> datetime:
    return datetime.now(UTC)


def asking(adapters: Mapping[str, Adapter]) -> Asks:
    """Whom a platform calls an administrator, asked through its adapter."""

    async def administers(platform: str, workspace: str, person: str) -> bool:
        adapter = adapters.get(platform)
        return adapter is not None and await adapter.administers(workspace, person)

    return administers


def lists_of(settings: Settings) -> Lists:
    """Who may ask, by the installer's lists."""
    return Lists(
        allowed={
            "slack": frozenset(settings.slack_allow),
            "discord": frozenset(settings.discord_allow),
        },
        denied={
            "slack": frozenset(settings.slack_deny),
            "discord": frozenset(settings.discord_deny),
        },
        administrators=settings.admins,
    )


def resolved(settings: Settings) -> Ask:
    """The settings that hold for every answer, as far as no place says otherwise."""
    return terms_of(settings).ask


def terms_of(settings: Settings) -> Terms:
    """What holds where nothing else was set."""
    return Terms(
        model=settings.model,
        detail=settings.detail,
        limit=settings.max_tokens,
        instructions=settings.instructions,
        follow_ups=settings.follow_ups,
        retention=settings.retention_days,
        question=settings.question_dollars,
        budget_person_day=settings.budget_person_day,
        budget_person_month=settings.budget_person_month,
        budget_channel_day=settings.budget_channel_day,
        budget_channel_month=settings.budget_channel_month,
        budget_workspace_day=settings.budget_workspace_day,
        budget_workspace_month=settings.budget_workspace_month,
    )
