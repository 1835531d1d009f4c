"""Usage → money."""

import json
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import Usage
from bot.errors import SetupError
from bot.pricing import Price, Prices, dollars

LIST = Prices.load(None)


def file(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


# gpt-4o's list price: 2.50 in, 10 out, 1.25 cached. gpt-5.4: 2.50, 15, 0.25; over 272,000 tokens of
# input, twice as much for input and half as much again for output.
@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("gpt-4o", Usage(1_000_000, 0), "2.5"),
        ("gpt-4o", Usage(0, 1_000_000), "10"),
        ("gpt-4o", Usage(1_000_000, 0, cached=1_000_000), "1.25"),
        ("gpt-4o", Usage(1203, 42), "0.0034275"),
        ("gpt-4o", Usage(0, 0), "0"),
        ("gpt-5.4", Usage(272_000, 1_000), "0.695"),
        ("gpt-5.4", Usage(272_001, 1_000), "1.382505"),
        ("gpt-5.4", Usage(300_000, 0, cached=300_000), "0.15"),
    ],
)
def test_a_call_costs_what_the_list_says(model: str, usage: Usage, cost: str) -> None:
    assert LIST.cost(model, usage) == Decimal(cost)


def test_tokens_written_to_the_cache_cost_more_and_tokens_read_from_it_less() -> None:
    plain = LIST.cost("gpt-5.6-luna", Usage(100_000, 0))
    assert plain is not None

    assert LIST.cost("gpt-5.6-luna", Usage(100_000, 0, cache_written=100_000)) == plain * 5 / 4
    assert LIST.cost("gpt-5.6-luna", Usage(100_000, 0, cached=100_000)) == plain / 10


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("azure/gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        (" gpt-4o ", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2099-12-31", "gpt-4o"),
        ("openai/gpt-5.4-mini-20991231", "gpt-5.4-mini"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("gpt-5.6-luna-2026-10-01", "gpt-5.6-luna"),
    ],
)
def test_a_model_is_found_by_all_its_names(name: str, same_as: str) -> None:
    usage = Usage(1000, 100)

    assert LIST.cost(name, usage) == LIST.cost(same_as, usage)
    assert LIST.known(name)


@pytest.mark.parametrize(
    "name", ["llava:7b", "", " ", "gpt-99", "x" * 10_000, "gpt-4o\x00", "whisper-1", "a/b/c", "/"]
)
def test_an_unknown_price_is_none_and_never_nothing(name: str) -> None:
    assert LIST.cost(name, Usage(1000, 100)) is None
    assert LIST.most(name, 1000, 100) is None
    assert not LIST.known(name)
    assert LIST.source(name) == "unknown"


BAD = st.sampled_from([-1, True, 1.5, float("nan"), float("inf"), "12", None])


@given(BAD, st.integers(0, 3), st.booleans())
def test_usage_that_cannot_be_never_has_a_price(bad: object, place: int, free: bool) -> None:
    counts: list[object] = [1000, 10, 5, 5]
    counts[place] = bad
    usage = Usage(counts[0], counts[1], counts[2], counts[3])  # type: ignore[arg-type]

    assert Prices.load(None, free=free).cost("gpt-4o", usage) is None


def test_more_cached_than_read_has_no_price() -> None:
    assert LIST.cost("gpt-4o", Usage(100, 10, cached=101)) is None


@given(
    st.sampled_from(["gpt-4o", "gpt-5.4", "gpt-5.6-luna", "gpt-4o-mini", "own"]),
    st.integers(0, 2_000_000),
    st.integers(0, 200_000),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_no_call_costs_more_than_its_most(
    model: str, read: int, said: int, cached: int, written: int
) -> None:
    prices = Prices.load(Path(__file__).parent.parent / "fixtures" / "prices.json")
    share = max(100, cached + written)
    usage = Usage(read, said, read * cached // share, read * written // share)

    cost, most = prices.cost(model, usage), prices.most(model, read, said)

    assert cost is not None
    assert most is not None
    assert Decimal(0) <= cost <= most
    assert cost == cost.quantize(Decimal("1e-9"))


def test_the_most_is_all_input_at_its_dearest_and_the_whole_answer() -> None:
    assert LIST.most("gpt-4o", 1_000, 1_000) == Decimal("0.0125")
    assert LIST.most("gpt-4o", None, 1_000) is None
    dearest = LIST.cost("gpt-5.6-luna", Usage(300_000, 1_000, cache_written=300_000))
    assert LIST.most("gpt-5.6-luna", 300_000, 1_000) == dearest


def test_the_file_goes_before_the_list(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        {
            "gpt-4o": {"input": "1", "output": 2},
            "Org/My-Model": {"input": 0.1, "output": 0.3, "cached": 0.01, "cache_write": "0.2"},
            "home": {"input": 0, "output": 0},
        },
    )
    prices = Prices.load(path)

    assert prices.cost("gpt-4o", Usage(1_000_000, 1_000_000, cached=500_000)) == Decimal(3)
    usage = Usage(1_000_000, 1_000_000, 300_000, 200_000)
    assert prices.cost("org/my-model", usage) == Decimal("0.393")
    assert prices.cost("home", Usage(10, 10)) == Decimal(0)
    assert prices.source("gpt-4o") == "prices.json"
    assert prices.source("openai/gpt-4o-2024-08-06") == "prices.json"
    assert prices.source("gpt-5.4").startswith("list price (genai-prices ")
    assert prices.known("home")


def test_numbers_of_the_file_are_taken_as_they_are_written(tmp_path: Path) -> None:
    prices = Prices.load(file(tmp_path, '{"m": {"input": 0.1, "output": 1e-1}}'))

    assert prices.cost("m", Usage(3, 3)) == Decimal("0.0000006").quantize(Decimal("1e-9"))


@given(st.integers(0, 10**7), st.decimals(0, 1000, places=6))
def test_a_call_is_rounded_half_even_to_the_nano_dollar(read: int, price: Decimal) -> None:
    prices = Prices({"m": Price(price, price, price, price)})

    exact = price * read / 1_000_000
    assert prices.cost("m", Usage(read, 0)) == exact.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "should hold"),
        ({"m": 3}, '"m" should hold'),
        ({"m": {"input": 1}}, 'lacks "output"'),
        ({"m": {"input": None, "output": 1}}, 'lacks "input"'),
        ({"m": {"input": "cheap", "output": 1}}, '"input" of "m"'),
        ({"m": {"input": -1, "output": 1}}, '"input" of "m"'),
        ({"m": {"input": True, "output": 1}}, '"input" of "m"'),
        ('{"m": {"input": NaN, "output": 1}}', '"input" of "m"'),
        ('{"m": {"input": 1, "output": Infinity}}', '"output" of "m"'),
        ({"m": {"input": 1, "output": "1e400"}}, '"output" of "m"'),
        ({"m": {"input": 1, "output": 1, "cached": [1]}}, '"cached" of "m"'),
        ({"m": {"input": 1, "output": 1, "imput": 1}}, 'has "imput"'),
    ],
)
def test_a_bad_file_is_named_with_its_key_and_mend(
    tmp_path: Path, content: object, words: str
) -> None:
    path = file(tmp_path, content)

    with pytest.raises(SetupError) as caught:
        Prices.load(path)

    assert words in caught.value.sentence
    assert str(path) in caught.value.sentence


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere"):
        Prices.load(tmp_path / "nowhere.json")
    (tmp_path / "latin.json").write_bytes(b'{"\xe9": 1}')
    with pytest.raises(SetupError, match="UTF-8"):
        Prices.load(tmp_path / "latin.json")


def test_offline_is_free_and_still_knows_the_list() -> None:
    prices = Prices.load(None, free=True)

    assert prices.cost("gpt-4o", Usage(1203, 42)) == Decimal(0)
    assert prices.cost("llava", Usage(1203, 42)) == Decimal(0)
    assert prices.list_cost("gpt-4o", Usage(1203, 42)) == Decimal("0.0034275")
    assert prices.list_cost("llava", Usage(1203, 42)) is None
    assert prices.most("gpt-4o", 1203, 42) == Decimal(0)


def test_context_windows_come_from_the_list() -> None:
    assert LIST.context_window("openai/gpt-4o") == 128_000
    assert LIST.context_window("llava") is None


@pytest.mark.parametrize(
    ("cost", "shown"),
    [
        ("0", "$0.0000"),
        ("0.000000001", "<$0.0001"),
        ("0.000099999", "<$0.0001"),
        ("0.0001", "$0.0001"),
        ("0.00345", "$0.0034"),
        ("0.00355", "$0.0036"),
        ("0.0034275", "$0.0034"),
        ("12.3", "$12.3000"),
        ("1234.5", "$1,234.5000"),
    ],
)
def test_dollars_have_four_decimals_and_never_hide_what_is_not_nothing(
    cost: str, shown: str
) -> None:
    assert dollars(Decimal(cost)) == shown
