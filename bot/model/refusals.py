"""What a server answers instead of words → the error that says whether to try again, and the mend.

The server's own sentence is read for its meaning and never passed on: it may echo keys, texts or
addresses.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from bot.errors import (
    Outage,
    PermanentError,
    PictureRefused,
    RateLimited,
    SetupError,
    ThreadsightError,
    TransientError,
)
from bot.model.request import Request

Failure = TypeVar("Failure", bound=ThreadsightError)


def either(*patterns: str) -> re.Pattern[str]:
    """Any of these, anywhere in what a server says."""
    return re.compile("|".join(patterns))


# More of an error's text than this is a web page, and what follows says nothing about the error.
MAX_MESSAGE_CHARS = 4_000
# A day: whoever names a longer wait has most likely told the time wrong.
MAX_RETRY_AFTER = 86_400.0

PICTURE_CODES = either(
    r"invalid_image",
    r"image_parse_error",
    r"invalid_base64",
    r"image_content_policy",
    r"image_too_(?:large|small)",
    r"unsupported_image",
    r"empty_image",
    r"image_file_",
    r"failed_to_download_image",
)
PICTURE_WORDS = either(
    r"unsupported image",
    r"invalid image",
    r"image data",
    r"input image may contain",
    r"base64 (?:data|decod)",
    r"(?:process|decode|parse|identify|load|open)\w* (?:(?:the|this|your|an?) )?(?:input )?image",
    r"image (?:is |was |file )?(?:invalid|corrupt|malformed|could not|too (?:large|small))",
    r"(?:size|dimension|format|resolution)s? (?:of|for) (?:(?:the|this|your|an?) )?image",
    r"image (?:size|dimension|format|resolution)",
    r"image .{0,40}exceeds",
)
LINK_WORDS = either(
    r"(?:timeout|error) while[\w ]{0,20} (?:download|fetch|access|retriev)",
    r"(?:failed|unable|could not|cannot|can't)[\w ]{0,20} (?:download|fetch|access|retriev)",
    r"download\w* (?:failed|error|timed out)",
    r"(?:download|fetch)\w* (?:(?:the|an?) )?(?:image|file|url)",
    r"failed_to_download_image",
    r"invalid_image_url",
)
BLIND = either(
    r"(?:image|vision|multi-?modal)[\w .,'`\"-]{0,60}?(?:not |un|n't |only )(?:be )?"
    r"(?:support|enabled|available|accept|allow)",
    r"(?:not|n't|cannot|no endpoints found that) (?:support|accept|process|have|handle|see)"
    r"[\w ]{0,20} (?:image|vision|multi-?modal)",
    r"not a (?:multi-?modal|vision)",
    r"unknown variant `?image_url",
    r"(?:missing data required for|no) image input",
    r"unmarshal array .{0,80}type string",
    r"(?:content|each message).{0,40}must be a string",
    r"text[- ]only model",
)
UNKNOWN_FIELD = either(
    r"unsupported",
    r"not (?:supported|permitted|allowed)",
    r"no longer",
    r"unrecogni[sz]ed",
    r"unknown",
    r"unexpected",
    r"extra",
    r"forbidden",
)
NO_MODEL = either(
    r"model_not_found",
    r"deploymentnotfound",
    r"model.{0,200}(?:does not exist|not found|not exist|no such|does not have access)",
    r"(?:does not have access to|no such|unknown|invalid) model",
    r"not a valid model",
    r"no endpoints (?:found|available)(?! that support)",
)
TOO_LARGE = either(
    r"context_length_exceeded",
    r"exceed_context_size",
    r"context[ _](?:length|window|size)",
    r"(?:request|body|entity|payload) too large",
    r"too many (?:images|tokens)",
    r"at most \d+ image",
    r"max_images",
    r"string_above_max_length",
    r"prompt is too long",
    r"maximum .{0,30}tokens",
    r"reduce the length",
)
NO_CREDIT = either(
    r"insufficient_quota",
    r"insufficient_balance",
    r"insufficient (?:credit|balance|funds)",
    r"billing_hard_limit",
    r"billing_not_active",
    r"account_deactivated",
    r"more credits",
)
FILTERED = either(
    r"content_filter", r"content_policy", r"safety system", r"responsibleaipolicy", r"moderation"
)
LIMIT = re.compile(r"max_(?:completion_)?tokens")
PLACE = re.compile(r"messages\W+(\d+)\W+(?:[a-z]+\W+)?content\W+(\d+)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the server told it."""

    status: int
    """The HTTP status; inside a 200 the error's own number, or 0 where it has none."""
    words: str
    """Type, code, parameter and message in lower case, to be searched and never shown."""
    retry_after: float | None = None
    """Seconds."""

    @property
    def is_overload(self) -> bool:
        """Whether it will pass by itself."""
        return self.status in (408, 409, 425, 429) or self.status >= 500

    def names(self, field: str) -> bool:
        """Whether it says that the server does not know this field."""
        if self.status not in (400, 404, 422) or field not in self.words:
            return False
        return UNKNOWN_FIELD.search(self.words) is not None


def of_response(status: int, body: bytes, headers: Mapping[str, str]) -> Refusal:
    """The error that a status, its body and its headers tell."""
    text = body.decode("utf-8", "replace")
    try:
        told: object = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    if isinstance(told, list) and told:
        told = told[0]
    error = told.get("error", told) if isinstance(told, dict) else told
    return Refusal(status, words_of(error), wait_of(headers))


def of_event(error: Mapping[str, object] | str) -> Refusal:
    """The error that a server put into an answer which had begun with a 200."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    status = code if isinstance(code, int) and 400 <= code < 600 else 0
    return Refusal(status, words_of(error))


def error_for(
    refusal: Refusal, request: Request, *, model: str, key_given: bool
) -> ThreadsightError:
    """The error to raise for a refused request."""
    words = refusal.words
    pictures = bool(request.shown)
    if NO_CREDIT.search(words) or refusal.status == 402:
        return SetupError(
            "The account of the model's key has no credit left; top it up with its provider."
        )
    if NO_MODEL.search(words) and refusal.status in (0, 400, 403, 404, 422):
        return no_such_model(model)
    if refusal.status == 401 or (refusal.status == 403 and not FILTERED.search(words)):
        return bad_key(key_given)
    if pictures and is_about_a_picture(refusal):
        return picture_refused(refusal, request)
    if pictures and BLIND.search(words) and refusal.status != 429:
        return SetupError(
            f"{model} cannot see pictures at this endpoint; set BOT_MODEL to a model that can."
        )
    if refusal.status == 413 or TOO_LARGE.search(words):
        return too_large()
    return by_status(refusal)


def is_about_a_picture(refusal: Refusal) -> bool:
    """Whether it refuses a picture, and not pictures as such."""
    if refusal.status not in (0, 400, 403, 413, 415, 422, 451):
        return False
    words = refusal.words
    if PICTURE_CODES.search(words) or LINK_WORDS.search(words):
        return True
    return PICTURE_WORDS.search(words) is not None and not BLIND.search(words)


def links_at_fault(refusal: Refusal, request: Request, *, again: bool) -> frozenset[int]:
    """The numbers of the linked pictures that may be at fault: those it names, else all of them.

    None if it is not that. `again` says that some were left out before: then all the others go, so
    that the asking comes to an end.
    """
    links = request.links
    if not links or not is_about_a_picture(refusal):
        return frozenset()
    # OpenAI names a file by the last part of its address alone.
    named = {
        number
        for number, url in links.items()
        if (name := re.split(r"[?#]", url, maxsplit=1)[0].rpartition("/")[2].lower())
        and name in refusal.words
    }
    place = place_of(refusal, request)
    if place in request.places.values() and place not in links and not named:
        return frozenset()
    if place is not None and place in links:
        named.add(place)
    return frozenset(named if named and not again else links)


def place_of(refusal: Refusal, request: Request) -> int | None:
    """The number of the picture that it points at."""
    if found := PLACE.search(refusal.words):
        return request.places.get((int(found[1][:9]), int(found[2][:9])))
    return None


def picture_refused(refusal: Refusal, request: Request) -> PictureRefused:
    """The error that names the picture, where the server did or there is only one."""
    number = place_of(refusal, request)
    if number is None and len(request.shown) == 1:
        number = request.shown[0][0].number
    which = "a picture" if number is None else f"picture {number}"
    if FILTERED.search(refusal.words) or "content_policy" in refusal.words:
        return PictureRefused(
            f"The model's provider does not allow {which}; ask about another one.", number=number
        )
    return PictureRefused(
        f"The model could not take {which}; post it again as a PNG or JPEG.", number=number
    )


def by_status(refusal: Refusal) -> ThreadsightError:
    """The error that the status alone tells."""
    status = refusal.status
    if status == 429 or "rate_limit" in refusal.words:
        return RateLimited(
            "The model's provider still asks us to wait; ask again in a while.",
            retry_after=refusal.retry_after,
        )
    if status == 0 or refusal.is_overload:
        return Outage(
            "The model's server has a fault just now; ask again in a while.",
            retry_after=refusal.retry_after,
        )
    if FILTERED.search(refusal.words) or status == 451:
        return PermanentError(
            "The provider's content filter refused this question; ask it differently."
        )
    if status in (404, 405) or 300 <= status < 400:
        return SetupError(
            "There are no chat completions at the model's address; check OPENAI_BASE_URL "
            "(most end in /v1)."
        )
    if LIMIT.search(refusal.words) and not UNKNOWN_FIELD.search(refusal.words):
        return SetupError("The model does not take so long an answer; lower BOT_MAX_TOKENS.")
    return PermanentError(
        f"The model's server refused the question (status {status}); `doctor` tests the set-up."
    )


def bad_key(key_given: bool) -> SetupError:
    """The key is wrong, or there is none."""
    if key_given:
        return SetupError(
            "The model's server refused the key; check OPENAI_API_KEY and what it may use."
        )
    return SetupError("The model's server wants a key; set OPENAI_API_KEY.")


def no_such_model(model: str) -> SetupError:
    """The model is not there for this key."""
    return SetupError(f"There is no model {model} at this endpoint for this key; check BOT_MODEL.")


def too_large() -> PermanentError:
    """The request is more than the model reads at once."""
    return PermanentError(
        "The question with its pictures is more than the model takes at once; "
        "start a new thread, or ask with fewer or smaller pictures."
    )


def charged(error: Failure) -> Failure:
    """The error of a call that may be billed; it counts, so that nobody pays for it without end."""
    error.charged = True
    if isinstance(error, TransientError):
        error.counts = True
    return error


def words_of(error: object) -> str:
    """All that an error says, in lower case and on one line, to be searched."""
    try:
        if isinstance(error, Mapping):
            # Azure adds where in its own program it happened: many words that mean nothing here.
            error = {name: value for name, value in error.items() if name != "callstack"}
        told = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    except (ValueError, RecursionError):
        told = ""
    return told[:MAX_MESSAGE_CHARS].lower()


def wait_of(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or by `Retry-After`, a number of seconds or a date."""
    told = headers.get("retry-after-ms", "")
    if (milliseconds := number(told)) is not None:
        return min(milliseconds / 1000, MAX_RETRY_AFTER)
    told = headers.get("Retry-After", "")
    if (seconds := number(told)) is not None:
        return min(seconds, MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), MAX_RETRY_AFTER)


def number(text: str) -> float | None:
    """A number of seconds that can be waited; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
