"""What the environment says becomes what holds, and who may ask."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import Command, ThreadId
from bot.engine import assembled, lists_of, resolved, terms_of
from bot.errors import SetupError
from bot.ports import Adapter
from bot.settings import Settings
from storage.store import SqlStore
from tests.fakes import FakeAdapter, posted


def settings(**values: str) -> Settings:
    """As an installer would set them."""
    return Settings(_env_file=None, **values)  # type: ignore[arg-type, call-arg]


def test_every_setting_of_the_environment_holds() -> None:
    here = terms_of(
        settings(
            BOT_MODEL="gpt-4o",
            BOT_DETAIL="low",
            BOT_MAX_TOKENS="300",
            BOT_INSTRUCTIONS="Be brief.",
            BOT_FOLLOW_UPS="mentions",
            BOT_RETENTION_DAYS="7",
            BOT_QUESTION_DOLLARS="0.05",
            BOT_BUDGET_PERSON_DAY="1",
            BOT_BUDGET_PERSON_MONTH="2",
            BOT_BUDGET_CHANNEL_DAY="3",
            BOT_BUDGET_CHANNEL_MONTH="4",
            BOT_BUDGET_WORKSPACE_DAY="5",
            BOT_BUDGET_WORKSPACE_MONTH="6",
        )
    )

    assert (here.model, here.detail, here.limit, here.instructions) == (
        "gpt-4o",
        "low",
        300,
        "Be brief.",
    )
    assert (here.follow_ups, here.retention, here.question) == ("mentions", 7, Decimal("0.05"))
    caps = [getattr(here, f"budget_{name}") for name in BUDGETS]
    assert caps == [Decimal(n) for n in range(1, 7)]


BUDGETS = (
    "person_day",
    "person_month",
    "channel_day",
    "channel_month",
    "workspace_day",
    "workspace_month",
)


def test_without_settings_only_two_budgets_hold() -> None:
    here = terms_of(settings())

    caps = {name: getattr(here, f"budget_{name}") for name in BUDGETS}
    assert {name: cap for name, cap in caps.items() if cap is not None} == {
        "person_day": Decimal(1),
        "workspace_month": Decimal(20),
    }
    assert resolved(settings()) == here.ask


def test_a_budget_can_be_none_or_nothing() -> None:
    here = terms_of(settings(BOT_BUDGET_PERSON_DAY="none", BOT_BUDGET_WORKSPACE_MONTH="0"))

    assert here.budget_person_day is None
    assert here.budget_workspace_month == 0


@pytest.mark.parametrize("words", ["ten", "-1", "1e12", "NaN", "Infinity", "0,50", "1 000"])
def test_a_budget_of_something_else_is_named_with_what_would_do(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_BUDGET_CHANNEL_DAY", words)

    with pytest.raises(SetupError) as caught:
        Settings.read()

    assert caught.value.sentence == (
        f"BOT_BUDGET_CHANNEL_DAY does not take '{words}'; it should be dollars as a plain number, "
        "such as 0.50, or none for no limit."
    )


@pytest.mark.parametrize("name", ["SLACK_DENY", "DISCORD_ALLOW", "BOT_ADMINS"])
@pytest.mark.parametrize("words", ["U1;U2", "<@U1>", "@anna", "#general", "U1|U2"])
def test_a_list_of_something_else_than_ids_is_no_list(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, words)

    with pytest.raises(SetupError) as caught:
        Settings.read()

    assert caught.value.sentence == (
        f"{name} does not take '{words}'; it should be ids separated by commas, such as U0123,C0456."
    )


@pytest.mark.parametrize("words", ["inf", "nan", "1e300", "-1"])
@pytest.mark.parametrize(
    "name", ["BOT_LEASE_SECONDS", "BOT_STALL_SECONDS", "BOT_DOWNLOAD_SECONDS", "BOT_RETENTION_DAYS"]
)
def test_a_time_without_end_is_named(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, words)

    with pytest.raises(SetupError) as caught:
        Settings.read()

    assert caught.value.sentence.startswith(f"{name} does not take '{words}'; it should be ")


def test_each_platform_has_its_own_lists() -> None:
    lists = lists_of(
        settings(
            SLACK_ALLOW="C1, U1",
            DISCORD_DENY="77 88",
            BOT_ADMINS="slack:U9,99",
        )
    )

    assert lists.admit("slack", {"C1", "U2"})
    assert not lists.admit("slack", {"C2", "U2"})
    assert lists.admit("discord", {"C2", "66"})
    assert not lists.admit("discord", {"77"})
    assert lists.admit("web", {"77"})
    assert lists.name("slack", "U9")
    assert not lists.name("discord", "U9")
    assert lists.name("discord", "99")


@pytest.mark.parametrize(
    ("person", "changed"), [("chief", True), ("U9", True), ("anna", False), ("88", False)]
)
async def test_the_built_desk_asks_lists_and_platform(
    store: SqlStore, person: str, changed: bool
) -> None:
    place = FakeAdapter("slack")
    place.administrators.add("chief")
    adapters: dict[str, Adapter] = {"slack": place}
    set_up = settings(
        OPENAI_BASE_URL="http://127.0.0.1:1/v1", BOT_ADMINS="slack:U9", SLACK_DENY="88"
    )

    async with assembled(set_up, store, adapters) as engine:
        desk = engine.desk(engine.worker())
        words = "channel detail low"
        card = await desk.run(Command("settings", "slack", "w1", "c1", person, text=words))
        message = posted(1, thread=ThreadId("slack", "w1", "c1", "t1"), author=person)
        refusal = await desk.accept(replace(message, sent_at=time.time()))

    assert ("is now **low**" in card.text) is changed
    assert (refusal is not None) is (person == "88")
