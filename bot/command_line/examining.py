"""`usage`, `doctor` and `migrate`: what there is, and whether it is well."""

import argparse
import asyncio
import csv
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import aiohttp

from bot import commands, doctor, facts
from bot.command_line.opening import opened
from bot.command_line.printing import printed, unmarked
from bot.command_line.serving import PLATFORMS
from bot.domain import Check, UsageRow
from bot.engine import secret
from bot.model import Endpoint, probe
from bot.ports import Store
from bot.pricing import Prices
from bot.settings import Settings
from storage.store import migrate

DAY_SECONDS = 86_400.0


async def usage(parsed: argparse.Namespace, settings: Settings) -> int:
    """Prints the ledger's sums, or exports all its rows."""
    since = None if parsed.days is None else time.time() - parsed.days * DAY_SECONDS
    async with opened(settings) as store:
        if parsed.csv:
            await export(store, since)
            return 0
        rows = await store.usage(since=since)
        if parsed.json:
            printed(facts.of_usage(rows, [row async for row in store.ledger(since=since)]))
        else:
            print(unmarked(await report(store, rows, since)))
    return 0


async def report(store: Store, rows: Sequence[UsageRow], since: float | None) -> str:
    """The ledger's sums in words, with how far the estimates were from what was billed."""
    error = commands.Precision()
    async for row in store.ledger(since=since):
        error = error.with_row(row)
    today = datetime.now(UTC).date() if since is None else None
    return commands.usage_card(rows, today, error).text


async def export(store: Store, since: float | None) -> None:
    """Prints the ledger's rows as a table, one after the other, however many there are."""
    table = csv.DictWriter(sys.stdout, fieldnames=facts.CALL, lineterminator="\n")
    table.writeheader()
    async for row in store.ledger(since=since):
        table.writerow(facts.cells(facts.of_call(row)))


async def examine(parsed: argparse.Namespace, settings: Settings) -> int:
    """Prints the doctor's report."""
    prices = Prices.load(settings.prices)

    async def database() -> str:
        async with opened(settings) as store:
            rows = await store.usage()
        kind = settings.database_url.split(":", 1)[0]
        return f"{kind}, migrated, {commands.total(rows).calls:,} calls in the ledger"

    async def model() -> Sequence[Check]:
        async with aiohttp.ClientSession() as session:
            endpoint = Endpoint.of(settings.model_url, secret(settings.openai_api_key))
            return await probe(session, endpoint, settings.model)

    async def platform(name: str) -> Sequence[Check]:
        async with (
            aiohttp.ClientSession() as session,
            PLATFORMS[name](settings, session) as adapter,
        ):
            return await adapter.probe()

    checks = await doctor.examine(
        settings, prices, database=database, model=model, platform=platform
    )
    if parsed.json:
        printed([{"name": each.name, "ok": each.ok, "text": each.text} for each in checks])
    else:
        for each in checks:
            print(f"{'ok  ' if each.ok else 'MEND'}  {each.name}: {each.text}")
    return 0 if all(each.ok for each in checks) else 1


async def migrate_now(parsed: argparse.Namespace, settings: Settings) -> int:
    """Brings the database up to date and says so."""
    await asyncio.to_thread(migrate, settings.database_url)
    print("The database has this version's tables.")
    return 0
