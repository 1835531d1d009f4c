"""Where the model is: an endpoint's addresses and headers, and a look whether all is well."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from bot.domain import Check
from bot.errors import Outage, SetupError

PROBE_SECONDS = 10.0
# The longest list of models, OpenRouter's, has some hundred kilobytes.
MAX_LIST_BYTES = 4 * 1024 * 1024
CHAT = "/chat/completions"
WRONG_ADDRESS = "The model's address is not one; check OPENAI_BASE_URL."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server that speaks chat completions."""

    host: str
    chat_url: str
    models_url: str
    key_given: bool
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, url: str, key: str | None) -> Self:
        """The endpoint at this address; raises SetupError when address or key cannot be one."""
        return cls(host_of(url), at(url, CHAT), at(url, "/models"), bool(key), headers(url, key))

    @property
    def openai(self) -> bool:
        """Whether it is OpenAI's own."""
        return self.host == "api.openai.com" or self.host.endswith(".api.openai.com")

    @property
    def azure(self) -> bool:
        """Whether it is Azure's."""
        return self.host.endswith(".azure.com")

    def unreachable(self) -> Outage:
        """The error when nobody answers there."""
        return Outage(
            f"The model's server at {self.host or 'its address'} cannot be reached; "
            "check OPENAI_BASE_URL and the network."
        )


def links_allowed(url: str) -> bool:
    """Whether pictures may be sent by their address: OpenAI's own endpoint fetches them."""
    return Endpoint.of(url, None).openai


async def probe(
    session: aiohttp.ClientSession, endpoint: Endpoint, model: str
) -> tuple[Check, ...]:
    """Asks for the list of models: is the server there, does it take the key, has it the model?"""
    try:
        async with (
            asyncio.timeout(PROBE_SECONDS),
            session.get(
                endpoint.models_url, headers=endpoint.headers, allow_redirects=False
            ) as response,
        ):
            status, body = response.status, await read_at_most(response, MAX_LIST_BYTES)
    except (aiohttp.InvalidURL, UnicodeError):
        return (Check("model", False, WRONG_ADDRESS),)
    except (aiohttp.ClientError, OSError, TimeoutError):
        text = f"nobody answers at {endpoint.host}; check OPENAI_BASE_URL and the network"
        return (Check("model", False, text),)
    return judged(endpoint, model, status, body)


def judged(endpoint: Endpoint, model: str, status: int, body: bytes) -> tuple[Check, ...]:
    """What the answer to the question for the list of models tells."""
    reached = Check("model", True, f"{endpoint.host} answers")
    if status in (401, 403):
        mend = "check OPENAI_API_KEY" if endpoint.key_given else "set OPENAI_API_KEY"
        return reached, Check("key", False, f"{endpoint.host} does not take the key; {mend}")
    if status >= 500 or status == 429:
        return (Check("model", False, f"{endpoint.host} has a fault just now (status {status})"),)
    names = model_names(body) if status == 200 else None
    if status == 200 and names is None:
        text = f"{endpoint.host} answers, but not as a model's API; check OPENAI_BASE_URL"
        return (Check("model", False, text),)
    if names is None:
        # Some servers have no such list, as Azure's deployments; only a question would tell more.
        return (Check("model", True, f"{endpoint.host} answers, and lists no models"),)
    # Ollama adds a tag to names that have none, Google a folder.
    if not names & {model, f"{model}:latest", f"models/{model}"}:
        text = f"{endpoint.host} does not list {model}; check BOT_MODEL"
        return reached, Check("model", False, text)
    return reached, Check("model", True, f"{endpoint.host} lists {model}")


def model_names(body: bytes) -> set[str] | None:
    """The ids of a list of models; None where it is not one."""
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    rows = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(rows, list):
        return None
    return {str(row.get("id")) for row in rows if isinstance(row, dict)}


async def read_at_most(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The first bytes of a body; the connection is kept only where that is all of it."""
    body = bytearray()
    try:
        while len(body) <= max_bytes and (chunk := await response.content.readany()):
            body += chunk
    finally:
        if not response.content.at_eof():
            response.close()
    return bytes(body[:max_bytes])


def at(url: str, path: str) -> str:
    """The address with this path at its end; a query such as `?api-version=…` stays."""
    parts = urlsplit(url)
    base = parts.path.rstrip("/").removesuffix(CHAT)
    return parts._replace(path=base + path, fragment="").geturl()


def headers(url: str, key: str | None) -> dict[str, str]:
    """The headers of every request; Azure takes its key by another name."""
    common = {
        "Accept": "text/event-stream, application/json",
        # A compressed stream comes in lumps.
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
    }
    if not key:
        return common
    if not (key.isascii() and key.isprintable()):
        raise SetupError("OPENAI_API_KEY holds characters that no key has; copy it again.")
    if host_of(url).endswith(".azure.com"):
        return {**common, "api-key": key}
    return {**common, "Authorization": f"Bearer {key}"}


def host_of(url: str) -> str:
    """The host of an address; raises SetupError when it is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SetupError(WRONG_ADDRESS) from error
    if not host or parts.scheme not in ("http", "https"):
        raise SetupError(WRONG_ADDRESS)
    return host.lower().rstrip(".")
