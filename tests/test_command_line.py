"""The real command in a real process, against a model's server over a real socket."""

import asyncio
import csv
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import pictures
from tests.nursery import Born, Nursery
from tests.servers.openai import Fails, ModelServer, Resets, Says, Stalls

ROOT = Path(__file__).parent.parent
USAGE = {
    "prompt_tokens": 1203,
    "completion_tokens": 42,
    "total_tokens": 1245,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


@dataclass(frozen=True)
class Ended:
    """What a process said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Process = Born | asyncio.subprocess.Process


class Shell:
    """A folder with files, an environment, and a model's server."""

    def __init__(self, folder: Path, server: ModelServer, nursery: Nursery) -> None:
        self.folder = folder
        self.server = server
        self.nursery = nursery
        self.started: list[Process] = []
        self.environ: dict[str, str] = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "sk-test-canary",
            "BOT_MODEL": "gpt-4o",
        }

    def write(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return name

    async def start(self, *arguments: str, **environ: str) -> Process:
        """A process of the command line that was loaded before."""
        return await self.start_into(None, *arguments, **environ)

    async def start_into(self, stdout: int | None, *arguments: str, **environ: str) -> Process:
        env = {**self.environ, **environ}
        process = await self.nursery.start(*arguments, cwd=self.folder, env=env, stdout=stdout)
        self.started.append(process)
        return process

    async def start_anew(self, *arguments: str, **environ: str) -> Process:
        """A process as people start it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *arguments,
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.started.append(process)
        return process

    async def run(self, *arguments: str, **environ: str) -> Ended:
        return await end_of(await self.start(*arguments, **environ))

    async def run_anew(self, *arguments: str, **environ: str) -> Ended:
        return await end_of(await self.start_anew(*arguments, **environ))

    async def close(self) -> None:
        """Ends what a test that failed has left running, or the next one would fail of it too."""
        for process in self.started:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.communicate()


async def end_of(process: Process) -> Ended:
    """What a process has said at its end."""
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in err
    assert b"sk-test-canary" not in out + err
    return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


@pytest.fixture
async def shell(tmp_path: Path, nursery: Nursery) -> AsyncIterator[Shell]:
    async with ModelServer() as server:
        shell = Shell(tmp_path, server, nursery)
        yield shell
        await shell.close()


async def test_an_answer_streams_and_ends_with_the_usage_that_the_server_sent(
    shell: Shell,
) -> None:
    shell.server.enqueue(Says("A cat on a mat.", usage=USAGE))
    photo = shell.write("photo.jpg", pictures.photo(1024, 768))

    ended = await shell.run_anew("ask", photo, "What is this?")

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "A cat on a mat.",
        "",
        "1,203 in · 42 out · $0.0034",
        "≈765 new pictures · thread $0.0034",
    ]


async def test_a_follow_up_carries_the_same_bytes_again_in_a_new_process(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo(2000, 1500))
    await shell.run("ask", "--thread", "t", photo, "What is this?")
    (shell.folder / photo).unlink()

    ended = await shell.run("ask", "--thread", "t", "And what stands behind it?")

    assert ended.code == 0
    first, second = shell.server.asked
    assert second.pictures == first.pictures
    assert len(second.pictures) == 1
    assert [message["role"] for message in second.messages] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert second.raw.startswith(first.raw[: first.raw.index(b"What is this?")])


async def test_json_tells_answer_usage_cost_and_receipts(shell: Shell) -> None:
    shell.server.enqueue(Says("A cat.", usage=USAGE))
    photo = shell.write("big.jpg", pictures.photo(2048, 1536))

    ended = await shell.run("ask", "--json", photo, "What is this?")

    assert ended.json == {
        "answer": "A cat.",
        "usage": {
            "input_tokens": 1203,
            "output_tokens": 42,
            "cached_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
        },
        "cost_usd": "0.003427500",
        "receipts": ["picture 1 (big.jpg): resized 2048×1536 → 1024×768"],
    }


async def test_the_ledger_adds_up_what_the_server_billed(shell: Shell) -> None:
    shell.server.enqueue(Says("A cat.", usage=USAGE), Says("It sleeps.", usage=USAGE))
    photo = shell.write("photo.jpg", pictures.photo())
    await shell.run("ask", "--thread", "t", photo, "What?")
    await shell.run("ask", "--thread", "t", "And?")

    told = (await shell.run("usage", "--json")).json

    assert told["total"]["calls"] == 2
    assert told["total"]["input_tokens"] == 2406
    assert told["total"]["output_tokens"] == 84
    assert told["total"]["cost_usd"] == "0.006855000"
    assert [row["model"] for row in told["rows"]] == ["gpt-4o"]


async def test_the_ledger_is_exported_row_by_row_and_its_rows_add_up(shell: Shell) -> None:
    shell.server.enqueue(Says("A cat.", usage=USAGE), Says("It sleeps.", usage=USAGE))
    photo = shell.write("photo.jpg", pictures.photo())
    await shell.run("ask", photo, "What?")
    await shell.run("ask", "--detail", "low", photo, "What?")

    told = (await shell.run("usage", "--json", "--days", "1")).json
    table = list(csv.DictReader((await shell.run("usage", "--csv")).out.splitlines()))

    assert [row["detail"] for row in table] == ["high", "low"]
    assert [row["outcome"] for row in table] == ["answered", "answered"]
    assert [row["cost_usd"] for row in table] == [row["cost_usd"] for row in told["calls"]]
    assert sum(Decimal(row["cost_usd"]) for row in table) == Decimal(told["total"]["cost_usd"])
    assert sum(int(row["input_tokens"]) for row in table) == told["total"]["input_tokens"]


async def test_a_number_of_days_that_is_none_is_named(shell: Shell) -> None:
    ended = await shell.run("usage", "--days", "ten")

    assert ended.code == 2
    assert "'ten' is no number of days from 1 to 36,500" in ended.err


async def test_an_estimate_needs_no_network_and_names_every_file(shell: Shell) -> None:
    shell.write("square.png", pictures.png(1024, 1024))
    shell.write("page.png", b"<!DOCTYPE html><html>Sign in</html>")

    ended = await shell.run(
        "estimate", "--json", "--text", "What is this?", "square.png", "page.png", "none.jpg"
    )

    told = ended.json
    assert told["model"] == "gpt-4o"
    assert told["pictures"][0] == {
        "name": "square.png",
        "width": 1024,
        "height": 1024,
        "tokens": {"low": 85, "high": 765, "auto": 765},
        "cost_usd": {"low": "0.000212500", "high": "0.001912500", "auto": "0.001912500"},
    }
    assert [sorted(picture) for picture in told["pictures"][1:]] == [["error", "name"]] * 2
    assert told["input_tokens"] == 765 + told["text_tokens"]
    assert Decimal(told["cost_usd"]) == told["input_tokens"] * Decimal("0.0000025")
    assert [other["model"] for other in told["others"]] == [
        "gpt-5.6-luna",
        "gpt-5.4-mini",
        "gpt-5.6-terra",
    ]
    assert shell.server.asked == []
    assert not (shell.folder / "data").exists()


async def test_a_picture_of_unknown_price_costs_null_not_nothing(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())

    told = (await shell.run("estimate", "--json", "--model", "my-own", photo)).json
    shell.server.enqueue(Says("A cat.", usage=USAGE))
    answered = (await shell.run("ask", "--json", "--model", "my-own", photo, "What?")).json
    shell.server.enqueue(Says("A cat.", usage=USAGE))
    shown = await shell.run("ask", "--model", "my-own", photo, "What?")

    ledger = (await shell.run("usage", "--json")).json

    assert (told["cost_usd"], answered["cost_usd"]) == (None, None)
    assert ledger["total"]["cost_usd"] is None
    assert ledger["rows"][0]["cost_usd"] is None
    assert "1,203 in · 42 out\n" in shown.out
    assert "$" not in shown.out


async def test_twenty_pictures_at_once_are_all_seen_in_their_order(shell: Shell) -> None:
    names = [shell.write(f"{n}.png", pictures.png(40 + n, 40)) for n in range(20)]

    ended = await shell.run("ask", *names, "What are these?")

    assert ended.code == 0
    assert len(shell.server.asked[0].pictures) == 20
    labels = re.findall(r"\((\d+)\.png\)", shell.server.asked[0].text)
    assert labels == [str(n) for n in range(20)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ask", ""], "question is empty"),
        (["ask", "photo.jpg", "  "], "question is empty"),
        (["ask", "What is this?"], "no picture"),
        (["ask", "empty.png", "What?"], "empty"),
        (["ask", "page.png", "What?"], "web page"),
        (["ask", "drawing.svg", "What?"], "SVG"),
        (["ask", "paper.pdf", "What?"], "cut off"),
        (["ask", "half.jpg", "What?"], "cut off"),
        (["ask", "bomb.png", "What?"], "pixels"),
        (["ask", "bomb2.png", "What?"], "pixels"),
        (["ask", "none.jpg", "What?"], "no such file"),
        (["ask", ".", "What?"], "not a file"),
        (["ask", "photo.jpg", "What? " * 20_000], "120,000 characters"),
        (["ask", "--thread", " ", "photo.jpg", "What?"], "thread's name"),
        (["ask", "--thread", "t" * 201, "photo.jpg", "What?"], "thread's name"),
    ],
)
async def test_bad_input_gets_one_sentence_and_no_call(
    shell: Shell, arguments: list[str], words: str
) -> None:
    photo = pictures.photo()
    shell.write("photo.jpg", photo)
    shell.write("empty.png", b"")
    shell.write("page.png", b"<!DOCTYPE html><html><title>Sign in</title></html>")
    shell.write("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    shell.write("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    shell.write("half.jpg", photo[: len(photo) // 2])
    shell.write("bomb.png", pictures.bomb(30_000))
    shell.write("bomb2.png", pictures.bomb(9_400))

    ended = await shell.run(*arguments)

    assert ended.code == 1
    assert words in ended.err
    assert ended.err.count("\n") <= 2
    assert shell.server.asked == []


async def test_a_huge_question_is_a_question_and_no_name_of_a_file(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    huge = "What is this? " * 7_000

    ended = await shell.run("ask", photo, huge)

    assert ended.code == 0
    assert huge.strip() in shell.server.asked[0].text


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fails(401, code="invalid_api_key"), "OPENAI_API_KEY"),
        (Fails(404, code="model_not_found"), "gpt-4o"),
        (Fails(429, code="insufficient_quota", type="insufficient_quota"), "credit"),
        (Fails(400, code="context_length_exceeded"), "more than the model takes"),
    ],
)
async def test_a_refusal_of_the_model_s_service_is_one_sentence_and_the_thread_goes_on(
    shell: Shell, fault: Fails, words: str
) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(fault)

    refused = await shell.run("ask", "--thread", "t", photo, "What is this?")
    shell.server.enqueue(Says("A cat.", usage=USAGE))
    answered = await shell.run("ask", "--thread", "t", "And now?")

    assert (refused.code, answered.code) == (1, 0)
    assert words in refused.err
    assert refused.err.count("\n") == 1
    assert len(shell.server.asked[-1].pictures) == 1


async def test_an_endpoint_that_is_not_there_is_one_sentence(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())

    ended = await shell.run("ask", photo, "What?", OPENAI_BASE_URL="http://127.0.0.1:9/v1")

    assert ended.code == 1
    assert "127.0.0.1" in ended.err
    assert "OPENAI_BASE_URL" in ended.err


async def test_a_stalled_model_is_one_sentence(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Stalls())

    ended = await shell.run("ask", photo, "What?", BOT_STALL_SECONDS="0.5")

    assert ended.code == 1
    assert "said nothing" in ended.err
    assert len(shell.server.asked) == 1


async def test_a_server_that_fails_once_is_asked_again(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Fails(503), Says("A cat.", usage=USAGE))

    ended = await shell.run("ask", photo, "What?")

    assert ended.code == 0
    assert ended.out.startswith("A cat.")


async def test_a_question_that_may_be_charged_is_not_asked_twice(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Resets())

    ended = await shell.run("ask", photo, "What?")

    assert ended.code == 1
    assert len(shell.server.asked) == 1
    assert (await shell.run("usage", "--json")).json["total"]["possibly_charged_calls"] == 1


async def test_what_was_asked_in_a_thread_is_erased_by_a_command(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    for thread in ("one", "it's two"):
        await shell.run("ask", "--thread", thread, photo, f"secret {thread}")

    said = await shell.run("ask", "--thread", "it's two", "forget")
    asked = len(shell.server.asked)
    await shell.run("forget", "--thread", "it's two")
    again = await shell.run("forget", "--thread", "it's two")
    two = await shell.run("ask", "--thread", "it's two", "And now?")
    one = await shell.run("ask", "--thread", "one", "And now?")

    assert "python -m bot forget --thread 'it'\"'\"'s two'" in said.out
    assert (again.code, two.code, one.code) == (1, 1, 0)
    assert len(shell.server.asked) == asked + 1


async def test_two_questions_at_once_in_one_thread_are_both_answered(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    await shell.run("ask", "--thread", "t", photo, "What?")

    ended = await asyncio.gather(
        *(shell.run("ask", "--thread", "t", f"Question {number}?") for number in range(4))
    )

    assert [each.code for each in ended] == [0, 0, 0, 0]
    assert all(" in · " in each.out for each in ended)
    assert len(shell.server.asked) == 5


async def test_an_interrupted_question_is_handed_back_at_once(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Stalls(), Says("One.", usage=USAGE), Says("Two.", usage=USAGE))
    process = await shell.start("ask", "--thread", "t", photo, "First?")
    async with asyncio.timeout(30):
        await shell.server.until_asked()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()

    ended = await shell.run("ask", "--thread", "t", "Second?")

    assert (process.returncode, err) == (130, b"")
    assert ended.out.startswith("Two.")


async def test_a_question_left_by_a_killed_process_is_answered_before_the_next(
    shell: Shell,
) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Stalls())
    process = await shell.start("ask", "--thread", "t", photo, "First?", BOT_LEASE_SECONDS="1")
    async with asyncio.timeout(30):
        await shell.server.until_asked()
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    shell.server.enqueue(Says("One.", usage=USAGE), Says("Two.", usage=USAGE))

    ended = await shell.run("ask", "--thread", "t", "Second?", BOT_LEASE_SECONDS="1")

    assert ended.code == 0
    assert ended.out.startswith("Two.")
    assert [asked.messages[-1]["role"] for asked in shell.server.asked] == ["user"] * 3
    assert "possibly charged" in ended.out


async def test_a_read_only_database_is_one_sentence_and_loses_nothing(shell: Shell) -> None:
    url = "sqlite:////proc/nowhere/bot.db"
    photo = shell.write("photo.jpg", pictures.photo())

    ended = await shell.run("ask", photo, "What?", DATABASE_URL=url)

    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert shell.server.asked == []


@pytest.mark.parametrize(
    "environ",
    [
        {"BOT_DETAIL": "huge"},
        {"BOT_MODEL": "  "},
        {"BOT_MAX_TOKENS": "many"},
        {"OPENAI_BASE_URL": "localhost:11434"},
        {"DATABASE_URL": "mysql://x"},
        {"OPENAI_API_KEY_FILE": "/no/such/file", "OPENAI_API_KEY": ""},
        {"BOT_PRICES": "/no/such/prices.json"},
    ],
)
async def test_a_setting_that_cannot_be_is_named(shell: Shell, environ: Mapping[str, str]) -> None:
    photo = shell.write("photo.jpg", pictures.photo())

    ended = await shell.run("ask", photo, "What?", **environ)

    assert ended.code == 1
    assert next(iter(environ)) in ended.err


async def test_blanks_around_a_setting_are_no_part_of_it(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())

    await shell.run("ask", photo, "?", BOT_MODEL=" gpt-4o ", OPENAI_API_KEY="sk-test-canary\n")

    (asked,) = shell.server.asked
    assert b'"model":"gpt-4o"' in asked.raw
    assert asked.headers["Authorization"] == "Bearer sk-test-canary"


async def test_a_secret_may_come_from_a_file(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.write("key", b"sk-from-a-file\n")

    await shell.run("ask", photo, "What?", OPENAI_API_KEY="", OPENAI_API_KEY_FILE="key")

    assert shell.server.asked[0].headers["Authorization"] == "Bearer sk-from-a-file"


async def test_the_doctor_finds_all_well_or_says_the_mend(shell: Shell) -> None:
    well = await shell.run("doctor", "--json")
    ill = await shell.run("doctor", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    bare = await shell.run("doctor", OPENAI_BASE_URL="", OPENAI_API_KEY="")

    assert well.code == 0
    assert all(check["ok"] for check in well.json)
    assert (ill.code, bare.code) == (1, 1)
    assert "MEND  model: nobody answers at 127.0.0.1" in ill.out
    assert "OPENAI_API_KEY" in bare.out


async def test_the_doctor_sees_a_platform_that_is_half_set_up(shell: Shell) -> None:
    only = [
        await shell.run("doctor", SLACK_APP_TOKEN="xapp-1"),
        await shell.run("doctor", SLACK_SIGNING_SECRET="hush"),
    ]

    assert [each.code for each in only] == [1, 1]
    assert all("MEND  slack: SLACK_BOT_TOKEN is not set" in each.out for each in only)


async def test_the_doctor_says_that_no_budget_holds(shell: Shell) -> None:
    ended = await shell.run(
        "doctor", BOT_BUDGET_PERSON_DAY="none", BOT_BUDGET_WORKSPACE_MONTH="none"
    )

    assert "ok    budgets: none" in ended.out


async def test_the_database_is_private_to_who_installed_the_bot(shell: Shell) -> None:
    await shell.run("migrate")

    file = shell.folder / "data" / "threadsight.db"

    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0


async def test_no_hidden_data_of_a_photo_reaches_model_or_store(shell: Shell) -> None:
    original = (ROOT / "tests" / "fixtures" / "orientation_6.jpg").read_bytes()
    assert b"Exif" in original
    shell.write("photo.jpg", original)

    await shell.run("ask", "photo.jpg", "What?")

    (sent,) = shell.server.asked[0].pictures
    assert b"Exif" not in sent
    stored = b"".join(path.read_bytes() for path in (shell.folder / "data").iterdir())
    assert b"Exif" not in stored


async def test_control_characters_of_a_model_never_reach_the_terminal(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Says("A \x1b[2Jcat\x07.", usage=USAGE))

    ended = await shell.run("ask", photo, "What?")

    assert "\x1b" not in ended.out
    assert "cat" in ended.out


@pytest.mark.skipif(sys.platform != "linux", reason="macOS refuses such names")
async def test_a_file_may_have_any_name(shell: Shell) -> None:
    names = [os.fsdecode(b"caf\xe9 100%41.jpg"), "two\nlines\x1b[31m.jpg", "-n.jpg", "日本.jpg"]
    for name in names:
        shell.write(name, pictures.photo())

    ended = await shell.run_anew("ask", "--json", "--", *names, "What?")

    assert ended.code == 0
    assert len(shell.server.asked[0].pictures) == 4


async def test_an_answer_at_its_limit_says_that_it_is_not_whole(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Says("A cat, a", usage=USAGE, finish="length"))
    shell.server.enqueue(Says("A cat, a", usage=USAGE, finish="length"))

    shown = await shell.run("ask", photo, "What?")
    told = await shell.run("ask", "--json", photo, "What?")

    assert "BOT_MAX_TOKENS" in shown.out.splitlines()[-1]
    assert "BOT_MAX_TOKENS" in told.json["receipts"][-1]


async def test_a_fault_that_lasts_is_one_sentence_that_promises_nothing(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(*[Fails(429, headers={"Retry-After": "30"})] * 3)

    ended = await shell.run("ask", photo, "What?")

    assert ended.code == 1
    assert ended.err == "The model's provider still asks us to wait; ask again in a while.\n"


async def test_an_answer_is_kept_when_nobody_reads_it_to_the_end(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Says("A cat.", usage=USAGE))
    unread, output = os.pipe()
    asking = await shell.start_into(output, "ask", photo, "What?")
    os.close(unread)
    os.close(output)

    _, complaints = await asking.communicate()
    code = asking.returncode
    ledger = (await shell.run("usage", "--json")).json

    assert (code, complaints) == (1, b"")
    assert ledger["total"]["possibly_charged_calls"] == 0
    assert ledger["total"]["output_tokens"] == 42


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="macOS has no full device")
async def test_output_that_cannot_be_written_is_one_sentence(shell: Shell) -> None:
    await shell.run("migrate")
    full = os.open("/dev/full", os.O_WRONLY)
    process = await shell.start_into(full, "usage")
    os.close(full)

    _, err = await process.communicate()

    assert process.returncode == 1
    assert err.decode() == "Reading or writing failed: No space left on device.\n"


async def test_a_terminal_of_another_encoding_shows_what_it_can(shell: Shell) -> None:
    photo = shell.write("photo.jpg", pictures.photo())
    shell.server.enqueue(Says("Ein Käse für 3 €.", usage=USAGE))
    shell.server.enqueue(Says("Ein Käse für 3 €.", usage=USAGE))

    shown = await shell.run_anew("ask", photo, "What?", PYTHONIOENCODING="ascii")
    told = await shell.run_anew("ask", "--json", photo, "What?", PYTHONIOENCODING="ascii")

    assert "Ein K?se f?r 3 ?." in shown.out
    assert told.json["answer"] == "Ein Käse für 3 €."


async def test_help_is_worth_reading(shell: Shell) -> None:
    told = await shell.run("--help")

    for command in ("ask", "estimate", "usage", "doctor", "migrate", "demo"):
        assert command in told.out
