"""`settings`: what holds in a place, where it comes from, who may change it."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.access import Lists
from bot.commands import Commands
from bot.domain import ThreadId
from bot.ports import Adapter
from bot.terms import SETTINGS
from storage.store import SqlStore
from tests.bot.building import BASE, command, commands_on
from tests.fakes import THREAD, FakeAdapter, posted

CHANNEL = ThreadId("fake", "w1", "c1", "")


@pytest.fixture
def commands(store: SqlStore) -> Commands:
    """A bot whose administrator is chief."""
    place = FakeAdapter()
    place.administrators.add("chief")
    places: dict[str, Adapter] = {"fake": place}
    return commands_on(store, adapters=places, lists=Lists(administrators=("fake:U1",)))


async def said(commands: Commands, text: str, *, author: str = "anna", root: str = "") -> str:
    card = await commands.run(command("settings", text=text, author=author, root=root or None))
    return card.text


async def test_every_setting_is_shown_with_where_it_comes_from(
    commands: Commands, store: SqlStore
) -> None:
    await store.choose(CHANNEL, "workspace", "detail", "low")
    await store.choose(CHANNEL, "channel", "model", "gpt-5.4-mini")

    text = await said(commands, "")

    assert all(f"`{name}` " in text for name in SETTINGS)
    assert "`detail` **low** (this workspace)" in text
    assert "`model` **gpt-5.4-mini** (this channel)" in text
    assert "`limit` **100** (environment)" in text
    assert "`budget_person_day` **$1.0000** (environment)" in text
    assert "`budget_person_month` **none** (environment)" in text
    assert "“Be brief.”" in text


async def test_one_setting_says_what_it_takes(commands: Commands) -> None:
    text = await said(commands, "detail")

    assert text.startswith("`detail` is **high** (environment)")
    assert "low, high, auto or original" in text


@pytest.mark.parametrize(
    ("text", "level", "name", "value"),
    [
        ("channel detail low", "channel", "detail", "low"),
        ("detail low", "channel", "detail", "low"),
        ("workspace budget_person_day 0.50", "workspace", "budget_person_day", "0.50"),
        ("workspace budget-workspace-month none", "workspace", "budget_workspace_month", "none"),
        ("channel preset medical", "channel", "preset", "medical"),
        (
            "channel instructions Be kind.\nBe  brief.",
            "channel",
            "instructions",
            "Be kind.\nBe  brief.",
        ),
    ],
)
async def test_an_administrator_sets_what_holds_for_channel_and_workspace(
    commands: Commands, store: SqlStore, text: str, level: str, name: str, value: str
) -> None:
    assert "is now" in await said(commands, text, author="chief")

    chosen = await store.choices(CHANNEL)
    assert {found: dict(each) for found, each in chosen.items() if each} == {level: {name: value}}


async def test_a_setting_is_taken_back(commands: Commands, store: SqlStore) -> None:
    await said(commands, "channel detail low", author="chief")

    text = await said(commands, "channel detail reset", author="chief")

    assert text == "`detail` is now **high** here (environment)."
    assert (await store.choices(CHANNEL)).get("channel", {}) == {}


async def test_who_is_no_administrator_is_told_whom_to_ask(
    commands: Commands, store: SqlStore
) -> None:
    for text in ("channel detail low", "workspace model gpt-4o", "channel detail reset"):
        refusal = await said(commands, text)
        assert refusal.startswith("Only an administrator can set this")
        assert refusal.endswith("ask an administrator (U1).")

    assert not any((await store.choices(CHANNEL)).values())


async def test_whoever_asked_in_a_thread_sets_what_holds_there(
    commands: Commands, store: SqlStore
) -> None:
    await store.accept(posted(1))

    mine = await said(commands, "thread detail low", root="t1")
    stranger = await said(commands, "detail auto", author="ben", root="t1")

    assert mine == "`detail` is now **low** here (this thread)."
    assert stranger.startswith("Only somebody who has asked in this thread")
    assert (await store.choices(THREAD))["thread"] == {"detail": "low"}
    assert (await store.choices(replace(THREAD, root="t2"))).get("thread", {}) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("channel detail huge", "`detail` does not take `huge`; it should be low, high, auto or"),
        ("channel limit -1", "a whole number of tokens from 16 to 200,000"),
        ("workspace budget_person_day ten", "dollars as a plain number, such as 0.50"),
        ("workspace budget_person_day 1000000000000", "dollars from 0 to 1,000,000"),
        ("workspace budget_person_day NaN", "dollars as a plain number"),
        ("channel detial low", "There is no setting `detial`; there are `model`"),
        ("channel budget_workspace_day 3", "cannot be set for a channel, only for a workspace"),
        ("thread detail low", "This is no thread"),
        ("channel <!channel> x", "There is no setting `__channel_`"),
    ],
)
async def test_what_does_not_do_is_named_with_what_would(
    commands: Commands, store: SqlStore, text: str, words: str
) -> None:
    assert words in await said(commands, text, author="chief")
    assert not any((await store.choices(CHANNEL)).values())


async def test_budgets_are_no_business_of_a_thread(commands: Commands, store: SqlStore) -> None:
    await store.accept(posted(1))

    for name in ("question", "budget_person_day", "budget_workspace_month"):
        assert "cannot be set for a thread" in await said(commands, f"{name} 100", root="t1")


async def test_in_a_direct_message_people_set_their_own_but_no_budgets(store: SqlStore) -> None:
    commands = commands_on(store)
    mine = command("settings", text="detail low", direct=True)
    budget = command("settings", text="budget_person_day 100", direct=True)

    assert "is now **low**" in (await commands.run(mine)).text
    assert "Only an administrator" in (await commands.run(budget)).text


async def test_retention_may_be_shortened_in_a_thread_but_not_prolonged(
    commands: Commands, store: SqlStore
) -> None:
    await store.accept(posted(1))

    assert "is now **7**" in await said(commands, "retention 7", root="t1")
    assert "only be shortened here: 30 days" in await said(commands, "retention 31", root="t1")
    assert "is now **90**" in await said(commands, "retention 90", author="chief", root="t1")


async def test_a_model_that_no_budget_can_hold_is_for_administrators(
    commands: Commands, store: SqlStore
) -> None:
    await store.accept(posted(1))

    refused = await said(commands, "model somebody-s-model", root="t1")
    taken = await said(commands, "channel model somebody-s-model", author="chief")

    assert "its price is unknown" in refused
    assert "Mind that its price is unknown" in taken


async def test_without_budgets_any_model_may_be_named(store: SqlStore) -> None:
    free = replace(BASE, budget_person_day=None, budget_workspace_month=None)
    await store.accept(posted(1))

    text = await said(commands_on(store, base=free), "model somebody-s-model", root="t1")

    assert "is now **somebody-s-model**" in text


async def test_the_medical_preset_says_what_each_answer_will_say(commands: Commands) -> None:
    text = await said(commands, "channel preset medical", author="chief")

    assert "no diagnosis" in text
    assert "`detail` **high** (preset medical, this channel)" in await said(commands, "")


async def test_the_presets_are_told_with_what_they_are_for(commands: Commands) -> None:
    text = await said(commands, "preset")

    assert "- `alt-text`: alt text, detail low" in text
    assert "- `medical`: medical pictures, detail high; each answer says: no diagnosis" in text


async def test_what_is_set_farther_away_than_what_holds_says_so(
    commands: Commands, store: SqlStore
) -> None:
    await store.choose(CHANNEL, "channel", "detail", "low")

    text = await said(commands, "workspace detail auto", author="chief")

    assert text.startswith("`detail` is now **low** here (this channel).")
    assert "holds where nothing nearer is set" in text


async def test_a_change_of_a_budget_is_what_the_next_question_meets(
    commands: Commands, store: SqlStore
) -> None:
    await said(commands, "workspace budget_person_day 0.25", author="chief")

    card = await commands.run(command("usage"))

    assert "$0.2500" in card.text
    assert BASE.budget_person_day == Decimal(1)


async def test_the_form_s_fields_are_as_good_as_words(commands: Commands, store: SqlStore) -> None:
    fields = {"level": "channel", "name": "detail", "value": "low"}

    await commands.run(replace(command("settings", author="chief"), options=fields))

    assert (await store.choices(CHANNEL))["channel"] == {"detail": "low"}
