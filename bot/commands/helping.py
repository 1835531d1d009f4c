"""What the bot can do, and what models are weak at, as people read it."""

from bot.domain import Card

HELP = """\
**Ask:** post a picture, mention me and ask. I answer in a thread; ask on there without posting the \
picture again. A picture without words gets a description.
**For one question:** end it with `detail:low`, `detail:high` or `model:gpt-5.4-mini`.
**Cost:** each answer ends with its tokens and its price; `/estimate` tells it beforehand, and \
`/vision usage` what was spent.
**In a thread**, mention me with one of these alone: `drop 2`, `pin 1`, `low 2`, `high 2`, `keep 2` (for \
picture 2: leave it out, always send it, send it at low or high detail, as before), `estimate`, `usage`, \
`settings`, `forget`.
**Yours:** `/vision forget` erases what you asked; `/vision settings` shows what holds here; \
`/vision new` starts afresh in a direct message.
**Pictures:** PNG, JPEG, WebP, GIF, HEIC, AVIF, TIFF and BMP, up to 10 in a message; an animation as \
a board of its frames, a PDF by its first five pages. Position, camera and other hidden data are \
removed before the model sees a picture.
**What the model is weak at:** medical images, non-Latin text, tiny or rotated text, exact \
positions and counts, fine line styles (dashed or dotted). It can be wrong: check what matters. \
It cannot make or change pictures, and it cannot be fine-tuned on yours.
"""


def help_card() -> Card:
    """How to ask, what it costs, and what not to ask."""
    return Card("Threadsight", HELP)
