"""The installer's picture rules: read from the price file, and what is wrong with one said."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot import rules, tokens
from bot.commands import Sized, estimate
from bot.domain import Ask, Usage
from bot.errors import SetupError
from bot.pricing import Prices

TOML = """
["my-llava"]
input = 0.2
output = "0.8"
picture = { square = 336, tokens = 576, side = 1344, short = 672, low = "base", base = 10 }

["team/qwen-vl"]
picture = { square = 28, tokens = 1, side = 4096, squares = 1280, low = { side = 448 } }

["our-4o"]
input = 1
output = 2
picture = "gpt-4o"
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """What a test teaches holds for no other."""
    yield
    tokens.learn({})


def test_a_rule_of_squares_counts_as_the_file_says(tmp_path: Path) -> None:
    tokens.learn(rules.read(written(tmp_path, TOML)))

    llava, qwen = tokens.rule("my-llava"), tokens.rule("Team/Qwen-VL")

    # 2000x1000 fits 1344x672 at its shorter side: four squares by two.
    assert llava.count(2000, 1000, "high") == 10 + 8 * 576
    assert llava.count(2000, 1000, "low") == 10
    assert qwen.count(448, 448, "high") == 256
    assert qwen.count(4480, 4480, "high") == 35 * 35
    assert qwen.count(4480, 4480, "low") == 256
    assert qwen.certainty == "documented"


def test_a_rule_may_be_another_model_s(tmp_path: Path) -> None:
    tokens.learn(rules.read(written(tmp_path, TOML)))

    assert tokens.rule("our-4o").count(1024, 1024, "high") == 765


def test_an_estimate_counts_by_the_file_s_rule_and_price(tmp_path: Path) -> None:
    path = written(tmp_path, TOML)
    tokens.learn(rules.read(path))
    prices = Prices.load(path)

    told = estimate([Sized("a.png", 336, 336)], "", Ask("my-llava", instructions=""), prices)

    assert told.pictures[0].tokens["high"] == 586
    assert told.pictures[0].costs["high"] == Decimal("0.0001172")
    assert told.price_source == "prices.toml"
    assert prices.cost("my-llava", Usage(1_000_000, 1_000_000)) == 1
    assert not prices.known("team/qwen-vl")


def test_a_rule_goes_before_what_is_documented(tmp_path: Path) -> None:
    text = '["gpt-4o"]\npicture = { square = 512, tokens = 1 }'

    tokens.learn(rules.read(written(tmp_path, text)))

    assert tokens.rule("gpt-4o").count(512, 512, "high") == 1
    tokens.learn({})
    assert tokens.rule("gpt-4o").count(512, 512, "high") == 255


def test_a_price_file_in_json_holds_rules_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(
        json.dumps({"m": {"input": 1, "output": 2, "picture": {"square": 14, "tokens": 0.25}}})
    )

    assert rules.read(path)["m"].count(28, 28, "high") == 1
    assert Prices.load(path).cost("m", Usage(1_000_000, 0)) == 1


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ('"somebody-s"', "whose own rule is not known"),
        ("12", "is not understood"),
        ("{ square = 14 }", "is not understood"),
        ("{ square = 0, tokens = 1 }", '"square" should be a whole number from 1 to 65,535'),
        ("{ square = 1.5, tokens = 1 }", '"square" should be a whole number'),
        ("{ square = true, tokens = 1 }", '"square" should be a whole number'),
        ("{ square = 14, tokens = 0 }", '"tokens" should be a number above 0'),
        ("{ square = 14, tokens = nan }", '"tokens" should be a number above 0'),
        ('{ square = 14, tokens = "many" }', '"tokens" should be a number above 0'),
        ("{ square = 14, tokens = 1, side = -1 }", '"side" should be a whole number'),
        ("{ square = 14, tokens = 1, colour = 1 }", 'has "colour"; it takes square, tokens'),
        ("{ square = 14, tokens = 1, low = 3 }", '"low" should be "base" or hold side'),
    ],
)
def test_a_rule_that_is_none_is_named_with_what_would_do(
    tmp_path: Path, picture: str, words: str
) -> None:
    path = written(tmp_path, f'["mine"]\npicture = {picture}')

    with pytest.raises(SetupError) as caught:
        rules.read(path)

    assert words in caught.value.sentence
    assert '"picture" of "mine"' in caught.value.sentence


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not TOML"):
        Prices.load(written(tmp_path, "{"))


def written(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return path
