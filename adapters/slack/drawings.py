"""Pictures that we drew → files in Slack that a message can show."""

import asyncio
import logging
from urllib.parse import urlsplit

import aiohttp

from adapters.slack.api import Api, is_loopback
from adapters.slack.events import items, text
from bot.domain import Drawing
from bot.errors import SetupError, ThreadsightError

UPLOAD_SECONDS = 10.0
LACKING_SECONDS = 600.0  # before the upload is tried again that the app has no scope for
FEATURE = "drawings"
log = logging.getLogger("threadsight.slack")


async def upload(api: Api, drawing: Drawing) -> str:
    """The id of a file that only the bot's messages show; empty when Slack takes none."""
    if api.lacks.left(FEATURE):
        return ""
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            return await sent(api, drawing)
    except SetupError as error:
        api.lacks.close(FEATURE, LACKING_SECONDS)
        log.info("no drawings without files:write: %s", type(error).__name__)
    except (ThreadsightError, aiohttp.ClientError, OSError) as error:
        log.info("a drawing was not taken: %s", type(error).__name__)
    return ""


async def sent(api: Api, drawing: Drawing) -> str:
    """Asks for an address, sends the bytes there, and says that they are complete."""
    place = await api.call(
        api.careful.files_getUploadURLExternal(
            filename=drawing.name, length=len(drawing.data), alt_txt=drawing.alt[:1000]
        )
    )
    file, url = text(place, "file_id"), text(place, "upload_url")
    address = urlsplit(url)
    if address.scheme != "https" and not (api.local and is_loopback(address.hostname)):
        return ""
    async with api.session.post(url, data=drawing.data, allow_redirects=False) as response:
        if response.status != 200:
            log.info("a drawing was refused: %s", response.status)
            return ""
    done = await api.call(
        api.careful.files_completeUploadExternal(files=[{"id": file, "title": drawing.name}])
    )
    return next((text(each, "id") for each in items(done.get("files"))), file)
