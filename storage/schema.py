"""Brings a database to this version's tables: one transaction, under a lock."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bot.errors import SetupError

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do, as long as every version of the bot takes the same.
MIGRATION_LOCK = 0x7468726561647369
TOO_NEW = "The database was made by a newer version of the bot: update the bot."

# Alembic keeps what it is at in a module, so one process may only be at one database.
ONE_AT_A_TIME = threading.Lock()


def upgrade(connection: Connection, version: str = "head") -> None:
    """Runs what is missing up to a version; whoever comes second waits and finds it done."""
    if connection.dialect.name == "postgresql":
        # A large table takes its time, and whoever comes second waits for it.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == script.get_current_head():
        return
    if current is not None and current not in {each.revision for each in script.walk_revisions()}:
        raise SetupError(TOO_NEW)
    with ONE_AT_A_TIME:
        command.upgrade(config, version)
