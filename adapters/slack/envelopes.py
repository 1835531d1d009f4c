"""Slack's requests over HTTP, before anybody believes them: whose signature, and what is inside; pure."""

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from slack_sdk.signature import SignatureVerifier

from adapters.slack.api import Json

TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")
MAX_FIELDS = 100  # of a form; a slash command has some twenty
SSL_CHECK = "ssl_check"


class Malformed(Exception):
    """A request that nobody can read, whoever signed it."""


class Signature:
    """Tells Slack's requests from everybody else's, by the secret that only Slack and we know."""

    def __init__(self, secret: str) -> None:
        self.verifier = SignatureVerifier(secret)

    def holds(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether Slack signed this body, no more than five minutes ago."""
        timestamp, signature = signed(headers)
        if not timestamp:
            return False
        try:
            return self.verifier.is_valid(body, timestamp, signature)
        except ValueError:
            return False  # A body that is no text; the SDK wants one.


def signed(headers: Mapping[str, str]) -> tuple[str, str]:
    """The headers of a signature; empty where they cannot be one."""
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    # The SDK takes for a number whatever Python does, and breaks on what it does not.
    if TIMESTAMP.fullmatch(timestamp) and SIGNATURE.fullmatch(signature):
        return timestamp, signature
    return "", ""


def opened(content_type: str, body: bytes) -> Json:
    """What is inside: an event as JSON, a command as a form, an interaction as JSON in a form."""
    try:
        if content_type == "application/json":
            return table_of(json.loads(body))
        if content_type == "application/x-www-form-urlencoded":
            fields = form(body)
            return table_of(json.loads(fields["payload"])) if "payload" in fields else fields
    except (ValueError, RecursionError) as error:
        raise Malformed from error
    raise Malformed


def is_check(content_type: str, body: bytes) -> bool:
    """Whether Slack only tries our certificate, which it does without a signature."""
    if content_type != "application/x-www-form-urlencoded":
        return False
    try:
        return form(body).get(SSL_CHECK) == "1"
    except ValueError:
        return False


def form(body: bytes) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS))


def table_of(value: object) -> Json:
    if not isinstance(value, dict):
        raise Malformed
    return value
