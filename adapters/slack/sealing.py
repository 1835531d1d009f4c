"""What must not lie open: tokens in the database, and the states of installations under way."""

import secrets
from logging import Logger
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

from bot.errors import SetupError

STATE_SECONDS = 600  # for a person to say yes on Slack's page

MAKE = (
    'make a key with `python -c "from cryptography.fernet import Fernet; '
    'print(Fernet.generate_key().decode())"` and keep it: without it, every workspace must install '
    "the app again"
)
NO_KEY = f"BOT_SECRET_KEY is not set; it seals the tokens of the workspaces that install the app: {MAKE}."
WRONG_KEY = f"BOT_SECRET_KEY holds something that is no key: {MAKE}; several stand with commas."
OTHER_KEY = (
    "The tokens of the Slack workspaces were sealed with another key: put that one into "
    "BOT_SECRET_KEY too, after the new one and a comma."
)


def seal(keys: str | None) -> MultiFernet:
    """The first of the keys seals, all of them open, so that keys can be changed; raises SetupError."""
    if keys is None:
        raise SetupError(NO_KEY)
    try:
        return MultiFernet([Fernet(key.strip()) for key in keys.split(",") if key.strip()])
    except ValueError as error:
        raise SetupError(WRONG_KEY) from error


class Sealed(TypeDecorator[str]):
    """A column that the database never sees open."""

    impl = Text
    cache_ok = False

    def __init__(self, fernet: MultiFernet) -> None:
        super().__init__()
        self.fernet = fernet

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """Seals."""
        return None if value is None else self.fernet.encrypt(str(value).encode()).decode()

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        """Opens; raises SetupError where the key is another one."""
        if value is None:
            return None
        try:
            return self.fernet.decrypt(str(value)).decode()
        except InvalidToken as error:
            raise SetupError(OTHER_KEY) from error


class SealedStates(AsyncOAuthStateStore):
    """States that carry their own proof: nobody fills the database by opening the page again and again.

    The browser's cookie ties a state to whoever began, and Slack takes the code beside it only once.
    """

    def __init__(self, fernet: MultiFernet, logger: Logger) -> None:
        self.fernet = fernet
        self._logger = logger

    @property
    def logger(self) -> Logger:
        """The SDK's, which says nothing."""
        return self._logger

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """A new state."""
        # Without its padding a cookie takes it as it is.
        return self.fernet.encrypt(secrets.token_bytes(12)).decode().rstrip("=")

    async def async_consume(self, state: str) -> bool:
        """Whether it is one of ours, and fresh."""
        try:
            self.fernet.decrypt(state + "=" * (-len(state) % 4), ttl=STATE_SECONDS)
        except (InvalidToken, ValueError):
            return False
        return True
