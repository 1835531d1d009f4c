"""A question that somebody may still ask, as a button's row keeps it."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import Attachment, Offer, Proposal
from bot.proposals import packed, unpacked
from tests.fakes import THREAD

SIZES = st.none() | st.integers(0, 10**9)
ATTACHMENTS = st.builds(
    Attachment,
    st.text(max_size=20),
    st.text(max_size=20),
    st.text(max_size=20),
    SIZES,
    st.text(max_size=20),
    SIZES,
    SIZES,
    st.booleans(),
)
PROPOSALS = st.builds(
    Proposal,
    place=st.just(THREAD),
    author=st.just("anna"),
    text=st.text(max_size=200),
    attachments=st.lists(ATTACHMENTS, max_size=3).map(tuple),
    options=st.dictionaries(st.sampled_from(["model", "detail"]), st.text(max_size=20)),
    source=st.text(max_size=20),
)


@given(PROPOSALS)
def test_what_is_packed_comes_back(proposal: Proposal) -> None:
    offer = Offer("ask", packed(proposal), THREAD, person="anna")

    assert unpacked(offer, "anna") == proposal


def test_it_is_asked_by_whoever_pressed_and_about_the_message_it_stands_under() -> None:
    offer = Offer("more", "", THREAD, message="m001")

    assert unpacked(offer, "ben") == Proposal(THREAD, "ben", "", source="m001")
