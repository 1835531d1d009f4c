"""What is configured, what is missing, and the exact mend for each."""

import platform as machine
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import PIL

from bot import tokens
from bot.domain import Check
from bot.errors import ThreadsightError
from bot.pricing import Prices, dollars
from bot.settings import Settings

NO_MODEL = (
    "no key and no address: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own "
    "(without either, the offline model of requirements-demo.txt answers, which only reads text, "
    "sizes and colours)"
)


async def examine(
    settings: Settings,
    prices: Prices,
    *,
    database: Callable[[], Awaitable[str]],
    model: Callable[[], Awaitable[Sequence[Check]]],
    platform: Callable[[str], Awaitable[Sequence[Check]]],
) -> list[Check]:
    """Looks at everything once; a probe that fails is a line of the report, never an error."""
    checks = [Check("python", True, f"{machine.python_version()}, Pillow {PIL.__version__}")]
    checks.append(await probe_database(database))
    if settings.model_configured:
        checks += await probed("model", model)
    else:
        checks.append(Check("model", False, NO_MODEL))
    checks += [rule_check(settings), price_check(settings, prices), budget_check(settings)]
    for name, configured in (
        ("slack", settings.slack_configured),
        ("discord", settings.discord_token is not None),
    ):
        if not configured:
            checks.append(Check(name, True, f"not set up; docs/{name}.md says how"))
        else:
            checks += await probed(name, partial(platform, name))
    return checks


async def probed(name: str, probe: Callable[[], Awaitable[Sequence[Check]]]) -> list[Check]:
    try:
        return list(await probe())
    except ThreadsightError as error:
        return [Check(name, False, error.sentence)]


async def probe_database(database: Callable[[], Awaitable[str]]) -> Check:
    try:
        return Check("database", True, await database())
    except ThreadsightError as error:
        return Check("database", False, error.sentence)


def rule_check(settings: Settings) -> Check:
    """Whether the model's picture tokens can be told beforehand."""
    certainty = tokens.rule(settings.model).certainty
    words = {
        "documented": f"{settings.model}: picture tokens by the documented rule",
        "assumed": f"{settings.model}: no published rule; estimates use an assumed one",
        "unknown": f"{settings.model}: rule unknown; estimates cannot tell its picture tokens",
    }
    return Check("estimates", True, f"{words[certainty]}; detail {settings.detail}")


def price_check(settings: Settings, prices: Prices) -> Check:
    if prices.known(settings.model):
        return Check("prices", True, f"{settings.model}: {prices.source(settings.model)}")
    text = (
        f"the price of {settings.model} is unknown: answers show tokens only and budgets in "
        "dollars cannot hold; name it in a file and set BOT_PRICES to its path"
    )
    return Check("prices", False, text)


def budget_check(settings: Settings) -> Check:
    """Every budget that the environment sets."""
    caps = (
        (settings.budget_person_day, "a person and day"),
        (settings.budget_person_month, "a person and month"),
        (settings.budget_channel_day, "a channel and day"),
        (settings.budget_channel_month, "a channel and month"),
        (settings.budget_workspace_day, "a workspace and day"),
        (settings.budget_workspace_month, "a workspace and month"),
        (settings.question_dollars, "a question"),
    )
    words = [f"{dollars(cap)} {what}" for cap, what in caps if cap is not None]
    return Check("budgets", True, ", ".join(words) or "none: people may spend what they like")
