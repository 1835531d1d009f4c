"""The workspaces that installed the app, kept in the bot's own database with their tokens sealed.

slack_sdk's synchronous store, in threads: its asynchronous one would need another driver for SQLite.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cryptography.fernet import MultiFernet
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from sqlalchemy import ColumnElement, Engine, and_, delete, desc, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from adapters.slack.api import quiet_logger
from adapters.slack.sealing import Sealed
from bot.errors import Outage

T = TypeVar("T")

THREADS = 2
PATIENCE_SECONDS = 10.0
TRIES = 2  # Two processes that start at once both make the table; the second try finds it.
AWAY = "The database does not answer, so the Slack workspace is not known right now."
SECRETS = ("bot_token", "bot_refresh_token")


class Installations(AsyncInstallationStore):
    """Which workspaces and organisations installed the app, and by which tokens it works there."""

    def __init__(self, engine: Engine, client_id: str, fernet: MultiFernet) -> None:
        self.engine = engine
        self.client_id = client_id
        self.fernet = fernet
        self.store = SQLAlchemyInstallationStore(client_id, engine, logger=quiet_logger())
        self.bots = self.store.bots
        for name in SECRETS:
            # Wider than the SDK's own columns, too: what is sealed is longer.
            self.bots.c[name].type = Sealed(fernet)
        self.threads = ThreadPoolExecutor(THREADS, "installations")

    async def open(self) -> None:
        """Makes the table where there is none, and seals what an older key sealed with the newest."""
        await self.run(self._prepare)

    def close(self) -> None:
        """Gives the connections back."""
        self.threads.shutdown(wait=True)
        self.engine.dispose()

    async def async_save(self, installation: Installation) -> None:
        """Keeps the newest token of a workspace or an organisation; the installer's own is none of ours."""
        await self.run(lambda: self.store.save_bot(installation.to_bot()))

    async def find(self, workspace: str, organisation: str = "") -> Bot | None:
        """By which token the app works in a workspace; None where it is not installed."""
        return await self.run(lambda: self._find(workspace, organisation))

    async def workspaces(self, organisation: str) -> list[str]:
        """The workspaces that were heard of through an organisation's installation."""
        return await self.run(lambda: self._workspaces(organisation))

    async def installed_at(self, workspace: str, organisation: str = "") -> float | None:
        """When a workspace, or with no workspace an organisation, installed the app; seconds since 1970."""
        where = self.bots.c.team_id == workspace if workspace else self._whole(organisation)
        bot = await self.run(lambda: self._newest(where))
        return None if bot is None else bot.installed_at

    async def remove(self, workspace: str) -> None:
        """Forgets a workspace."""
        await self.run(lambda: self._delete(self.bots.c.team_id == workspace))

    async def remove_organisation(self, organisation: str) -> None:
        """Forgets an organisation's installation; workspaces that installed the app themselves stay."""
        columns = self.bots.c
        through = or_(columns.team_id.is_(None), columns.bot_token.is_(None))
        where = and_(columns.enterprise_id == organisation, through)
        await self.run(lambda: self._delete(where))

    async def count(self) -> int:
        """How many workspaces and organisations installed the app."""
        return await self.run(self._count)

    async def run(self, work: Callable[[], T]) -> T:
        """Works in a thread of its own, so that pictures being decoded hold nobody up; raises Outage."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await loop.run_in_executor(self.threads, work)
        except (SQLAlchemyError, TimeoutError) as error:
            raise Outage(AWAY) from error

    def _prepare(self) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                self.store.metadata.create_all(self.engine, tables=[self.bots])
                break
            except SQLAlchemyError:
                if attempt == TRIES:
                    raise
        columns = [self.bots.c.id, *(self.bots.c[name] for name in SECRETS)]
        with self.engine.begin() as connection:
            for row in connection.execute(select(*columns)).all():
                values = {name: getattr(row, name) for name in SECRETS}
                connection.execute(
                    update(self.bots).where(self.bots.c.id == row.id).values(**values)
                )

    def _find(self, workspace: str, organisation: str) -> Bot | None:
        own = self._newest(self.bots.c.team_id == workspace)
        if own is not None and own.bot_token:
            return own
        organisation = organisation or (own.enterprise_id or "" if own else "")
        whole = self._newest(self._whole(organisation)) if organisation else None
        if whole is not None and own is None:
            self.store.save_bot(member(whole, workspace))
        return whole

    def _newest(self, where: ColumnElement[bool]) -> Bot | None:
        """The newest of some rows; one with a token of its own goes before one without."""
        columns = self.bots.c
        query = (
            select(self.bots)
            .where(columns.client_id == self.client_id, where)
            .order_by(columns.bot_token.is_(None), desc(columns.installed_at), desc(columns.id))
        )
        with self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else self.store.build_bot_entity(row)

    def _workspaces(self, organisation: str) -> list[str]:
        columns = self.bots.c
        query = select(columns.team_id).where(
            columns.client_id == self.client_id,
            columns.enterprise_id == organisation,
            columns.team_id.is_not(None),
            columns.bot_token.is_(None),
        )
        with self.engine.connect() as connection:
            return [str(team) for team in connection.execute(query).scalars()]

    def _delete(self, where: ColumnElement[bool]) -> None:
        mine = self.bots.c.client_id == self.client_id
        with self.engine.begin() as connection:
            connection.execute(delete(self.bots).where(mine, where))

    def _count(self) -> int:
        columns = self.bots.c
        mine = columns.client_id == self.client_id, columns.bot_token.is_not(None)
        query = select(columns.enterprise_id, columns.team_id).where(*mine).distinct()
        with self.engine.connect() as connection:
            return len(connection.execute(query).all())

    def _whole(self, organisation: str) -> ColumnElement[bool]:
        """The rows of an installation for a whole organisation."""
        columns = self.bots.c
        return and_(columns.enterprise_id == organisation, columns.team_id.is_(None))


def member(whole: Bot, workspace: str) -> Bot:
    """Notes that a workspace is reached through its organisation: later nothing but its own id is known."""
    return Bot(
        app_id=whole.app_id,
        enterprise_id=whole.enterprise_id,
        team_id=workspace,
        bot_token=None,  # type: ignore[arg-type]  # it has none of its own
        bot_id=whole.bot_id,
        bot_user_id=whole.bot_user_id,
        is_enterprise_install=True,
        installed_at=whole.installed_at,
    )
