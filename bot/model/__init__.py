"""The model behind a chat-completions API: a question goes out, words and a price come back.

`client` asks and decides what may be asked again, `request` writes the body, `listening` and `sse`
hear the answer, `refusals` understands what comes instead of one, `endpoint` knows the server, and
`shelf` keeps pictures at hand.
"""

from bot.model.client import ChatCompletions
from bot.model.endpoint import Endpoint, links_allowed, probe
from bot.model.request import Load
from bot.model.shelf import Shelf

__all__ = ["ChatCompletions", "Endpoint", "Load", "Shelf", "links_allowed", "probe"]
