"""The form that asks for a question: as it is shown, and what people send with it. Pure."""

from collections.abc import Iterator

from adapters.discord.definitions import PICTURES, QUESTION_CHARACTERS
from adapters.discord.events import attachment
from adapters.discord.wire import Json, item, items, mapping, string, strings
from bot.domain import Attachment

SHOW = 9  # the callback type of a form
INPUT, LABEL, UPLOAD = 4, 18, 19  # component types
PARAGRAPH = 2  # the style of an input of several lines
QUESTION, FILES = "question", "pictures"
TITLE = "Ask about pictures"


def form(subject: str, shown: str, *, pictures: bool) -> Json:
    """A form for a question, and for more pictures where there is room for them.

    `subject` is the message or the button that it belongs to, and `shown` tells one showing of it from another.
    """
    question = {
        "type": INPUT,
        "custom_id": QUESTION,
        "style": PARAGRAPH,
        "min_length": 1,
        "max_length": QUESTION_CHARACTERS,
        "required": True,
        "placeholder": "What do you want to know?",
    }
    upload = {
        "type": UPLOAD,
        "custom_id": FILES,
        "min_values": 0,
        "max_values": PICTURES,
        "required": False,
    }
    fields = [labelled("Your question", question)]
    if pictures:
        fields.append(labelled("More pictures", upload))
    name = f"{subject}/{shown}"
    return {"type": SHOW, "data": {"custom_id": name, "title": TITLE, "components": fields}}


def labelled(label: str, component: Json) -> Json:
    return {"type": LABEL, "label": label, "component": component}


def subject_of(data: Json) -> str:
    """The message or the button that the form belongs to."""
    return string(data, "custom_id").partition("/")[0]


def question_of(data: Json) -> str:
    """What somebody wrote into the form."""
    fields = (each for each in inputs(data) if string(each, "custom_id") == QUESTION)
    return next((string(field, "value").strip() for field in fields), "")


def pictures_of(data: Json) -> tuple[Attachment, ...]:
    """What somebody put into the form."""
    held = item(item(data, "resolved"), "attachments")
    chosen = [
        name
        for field in inputs(data)
        if string(field, "custom_id") == FILES
        for name in strings(field, "values")
    ]
    files = (mapping(held.get(name)) for name in chosen)
    return tuple(attachment(file) for file in files if file)


def inputs(data: Json) -> Iterator[Json]:
    """The fields, whether they stand under labels or, as they used to, in rows."""
    for row in items(data, "components"):
        if component := item(row, "component"):
            yield component
        yield from items(row, "components")
