"""Who may ask, who is an administrator, and whom to ask otherwise."""

import asyncio

import pytest

from bot import access
from bot.access import Access, Lists
from bot.domain import Command, Person, ThreadId
from tests.fakes import posted

PLACE = ThreadId("fake", "w1", "c1", "t1")


@pytest.mark.parametrize(
    ("allowed", "denied", "admitted"),
    [
        ((), (), True),
        (("anna",), (), True),
        (("c1",), (), True),
        (("w1",), (), True),
        (("t1",), (), True),
        (("role",), (), True),
        (("ben", "c2"), (), False),
        ((), ("ben",), True),
        ((), ("anna",), False),
        ((), ("c1",), False),
        ((), ("role",), False),
        (("anna",), ("c1",), False),
        (("c1", "w1", "anna"), ("role",), False),
    ],
)
def test_one_id_that_is_allowed_is_enough_and_one_that_is_denied_too(
    allowed: tuple[str, ...], denied: tuple[str, ...], admitted: bool
) -> None:
    lists = Lists({"fake": frozenset(allowed)}, {"fake": frozenset(denied)})
    ids = ("w1", "c1", "t1", "anna", "role")

    assert lists.admit("fake", ids) is admitted
    assert Lists(lists.allowed, lists.denied).admit("other", ids)


def test_messages_and_commands_are_known_by_the_same_ids() -> None:
    only = access.Access(Lists({"fake": frozenset({"role"})}), access.nobody)
    message = posted(1)
    command = Command("help", "fake", "w1", "c1", "anna")

    assert not only.admits(message)
    assert not only.admits(command)
    assert not only.lets_ask(PLACE, Person("anna"))
    groups = ("role",)
    assert only.lets_ask(PLACE, Person("anna", groups))
    assert only.admits(Command("help", "fake", "w1", "c1", "anna", groups=groups))


def test_a_button_is_only_refused_to_whom_is_denied() -> None:
    lists = Lists({"fake": frozenset({"category"})}, {"fake": frozenset({"ben"})})
    both = Access(lists, access.nobody)

    assert not both.shuts_out(PLACE, Person("anna"))
    assert both.shuts_out(PLACE, Person("ben"))


def test_a_refusal_names_whom_to_ask_and_calls_nobody() -> None:
    lists = Lists(administrators=("slack:U1", "U2", "discord:77"))

    assert Access(lists, access.nobody).refusal("slack").text == (
        "You may not use me here: ask an administrator (U1, U2)."
    )
    assert access.everybody().refusal("slack").text.endswith("ask an administrator.")


@pytest.mark.parametrize(
    ("person", "administers"),
    [
        (Person("U1"), True),
        (Person("77"), False),
        (Person("anna", administrator=True), True),
        (Person("chief"), True),
        (Person("ben"), False),
    ],
)
async def test_an_administrator_is_named_or_known_to_the_platform(
    person: Person, administers: bool
) -> None:
    async def chief(platform: str, workspace: str, person: str) -> bool:
        return (platform, workspace, person) == ("fake", "w1", "chief")

    entry = Access(Lists(administrators=("fake:U1", "other:77")), chief)

    assert await entry.administers("fake", "w1", person) is administers
    assert (await entry.known(PLACE, person)).administrator is administers


async def test_a_platform_that_does_not_answer_makes_nobody_an_administrator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(platform: str, workspace: str, person: str) -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(access, "ASKING_SECONDS", 0.01)

    assert not await Access(Lists(), silent).administers("fake", "w1", Person("anna"))
