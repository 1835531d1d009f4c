"""Deliveries, edits and deletes come in any order and end the same."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain import Claim, Message, Scope, ThreadId
from storage.store import SqlStore
from tests.storage.nouns import PLATFORMS, message

FRESH = count(1)

# An edit's time decides its words, so two deliveries with the same time say the same; but one of
# them may bring files that the other lacks.
DELIVERIES = st.lists(
    st.builds(
        lambda edit, files, addressed: message(
            text=f"version {edit}",
            files=tuple(sorted(files)),
            addressed=addressed,
            edited_at=float(edit) if edit else None,
        ),
        st.integers(0, 2),
        st.sets(st.sampled_from(["F0", "F1", "F2"])),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)

ONE_DATABASE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@ONE_DATABASE
@given(deliveries=DELIVERIES, data=st.data())
async def test_deliveries_in_any_order_make_the_same_message(
    store: SqlStore, deliveries: list[Message], data: st.DataObject
) -> None:
    other_order = data.draw(st.permutations(deliveries))

    one = await after(store, deliveries)
    other = await after(store, other_order)

    assert one == other


@ONE_DATABASE
@given(deliveries=DELIVERIES, place=st.integers(0, 5))
async def test_a_deletion_wins_wherever_it_comes(
    store: SqlStore, deliveries: list[Message], place: int
) -> None:
    thread = fresh_thread()
    gone = Scope(thread.platform, thread.workspace, thread.channel, message="1")

    for each in deliveries[:place]:
        await store.accept(replace(each, thread=thread))
    await store.retract(gone)
    for each in deliveries[place:]:
        assert not await store.accept(replace(each, thread=thread))

    assert await store.claim(PLATFORMS, thread=thread) is None


async def after(store: SqlStore, deliveries: Sequence[Message]) -> Message | None:
    """The addressed message that these deliveries leave, its thread's name taken off."""
    thread = fresh_thread()
    for each in deliveries:
        await store.accept(replace(each, thread=thread), quiet=0.0)
    claim: Claim | None = await store.claim(PLATFORMS, thread=thread)
    if claim is None:
        return None
    files = sorted(claim.message.attachments, key=lambda each: each.id)
    return replace(claim.message, thread=ThreadId("", "", "", ""), attachments=tuple(files))


def fresh_thread() -> ThreadId:
    """A thread in a channel that nobody has used."""
    return ThreadId("slack", "T1", f"C{next(FRESH)}", "root")
