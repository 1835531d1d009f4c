"""What stands under an answer."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain import Answer, Ask, Attachment, Mark, Picture, Spent, Turn, Usage
from bot.footer import ending, footer, label, plain_name, receipts, substitute
from bot.history import Fitted
from tests.fakes import posted

NOTHING = Spent(calls=0, input_tokens=0, output_tokens=0, cost=Decimal(0))


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({}, "1,203 in · 42 out · $0.0034"),
        ({"cost": Decimal("0.00003")}, "1,203 in · 42 out · <$0.0001"),
        ({"cost": Decimal("12.34565")}, "1,203 in · 42 out · $12.3456"),
        ({"cost": None}, "1,203 in · 42 out"),
        ({"estimated": True}, "about 1,203 in · 42 out · $0.0034"),
        (
            {"offline": True, "cost": Decimal(0), "list_cost": Decimal("0.0003")},
            "1,203 in · 42 out · free (offline; about $0.0003 on gpt-5.6-luna)",
        ),
        ({"offline": True, "cost": Decimal(0)}, "1,203 in · 42 out · free (offline)"),
    ],
)
def test_the_first_line_never_changes_its_form(answer: dict[str, object], line: str) -> None:
    assert footer(an_answer(**answer), fitted(), NOTHING)[0] == line


def test_the_second_line_tells_where_the_input_went_and_what_the_thread_cost() -> None:
    answer = an_answer(usage=Usage(1203, 42, cached=512))
    before = Spent(calls=2, input_tokens=900, output_tokens=80, cost=Decimal("0.0093"))

    second = footer(answer, fitted(new=765, earlier=340), before)[1]

    assert second == "≈765 new pictures · ≈340 earlier pictures · 512 cached · thread $0.0127"


def test_a_thread_with_a_call_of_unknown_price_has_no_sum() -> None:
    before = Spent(1, 900, 80, Decimal(0), unpriced=1)

    assert "$" not in footer(an_answer(), fitted(), before)[1]


def test_a_possible_charge_is_said() -> None:
    before = Spent(1, 900, 80, Decimal("0.01"), possibly_charged=1)

    assert footer(an_answer(), fitted(), before)[1].endswith("possibly charged")
    assert footer(an_answer(estimated=True), fitted(), NOTHING)[1].endswith("possibly charged")


def test_what_people_chose_for_the_pictures_is_said_and_what_the_room_took_is_not() -> None:
    chosen: tuple[Mark, ...] = ("low", "", "dropped", "low", "pinned", "low")
    pictures = tuple(
        Picture(number, posted(1), Attachment(f"a{number}", ""), mark=mark)
        for number, mark in enumerate(chosen, start=1)
    )
    turns = (Turn("user", "?", pictures=pictures),)
    by_room = replace(fitted(), turns=turns, lowered=(6,))

    lines = footer(an_answer(), by_room, NOTHING)

    assert lines[2:] == (
        "as you chose: pictures 1, 4 at low detail · picture 5 pinned · picture 3 left out",
    )
    assert len(footer(an_answer(), fitted(), NOTHING)) == 2


def test_a_detail_that_the_model_does_not_know_is_said_to_be_replaced() -> None:
    assert substitute(Ask("gpt-4o", "original")) == (
        "gpt-4o does not know detail original: high was used",
    )
    assert substitute(Ask("gpt-5.5", "original")) == ()
    assert substitute(Ask("somebody-s-model", "original")) == ()


def test_receipts_name_pictures_that_were_changed_or_not_seen_and_no_others() -> None:
    pictures = [
        picture(1, "a.jpg", "seen"),
        picture(2, "b.jpg", "resized 4032×3024 → 1024×768"),
        picture(3, "c.svg", "not seen: it is a drawing; post it as PNG"),
    ]

    assert receipts(pictures) == (
        "picture 2 (b.jpg): resized 4032×3024 → 1024×768",
        "picture 3 (c.svg): not seen: it is a drawing; post it as PNG",
    )


@pytest.mark.parametrize(
    "name", ["<@U123>", "@everyone", "[x](https://evil)", "a`b*c_d~e|f", "\x1b[2J"]
)
def test_a_file_name_can_neither_ping_nor_link_nor_format(name: str) -> None:
    assert not set(plain_name(name)) & set("<>@[]`*~|:/\x1b")


def test_a_long_file_name_keeps_its_beginning_and_its_ending() -> None:
    plain = plain_name(f"{'long' * 100}.jpeg")

    assert plain.startswith("longlong")
    assert plain.endswith(".jpeg")
    assert len(plain) <= 40


def test_a_picture_without_a_name_is_named_by_its_number() -> None:
    assert label(picture(3, "", "seen")) == "picture 3"


@pytest.mark.parametrize(
    ("finish", "words"),
    [("length", "BOT_MAX_TOKENS"), ("filtered", "content filter"), ("cut", "broke off")],
)
def test_an_answer_that_is_not_whole_says_so(finish: str, words: str) -> None:
    (line,) = ending(an_answer(finish=finish))

    assert words in line
    assert ending(an_answer(finish="stop")) == ()
    assert ending(an_answer(finish=finish, said=False)) == ()


def an_answer(**fields: object) -> Answer:
    known: dict[str, object] = {
        "text": "A cat.",
        "model": "gpt-5.6-luna",
        "usage": Usage(1203, 42),
        "cost": Decimal("0.0034"),
    }
    return Answer(**{**known, **fields})  # type: ignore[arg-type]


def fitted(new: int | None = 0, earlier: int | None = 0) -> Fitted:
    return Fitted((), 0, new_picture_tokens=new, earlier_picture_tokens=earlier)


def picture(number: int, name: str, receipt: str) -> Picture:
    return Picture(number, posted(number), Attachment(f"a{number}", name), receipt=receipt)
