"""Forms: what Slack shows in a window of its own, and what people filled in; pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

from adapters.slack.api import Json
from adapters.slack.events import attachment, items, table, text, timestamp
from adapters.slack.markup import unescape
from bot.domain import Attachment, Detail

ESTIMATE = "estimate"
ASK = "ask"
"""The callback ids of the forms; the shortcuts in the manifest are called the same."""

FILES, QUESTION, DETAIL, MODEL = "files", "question", "detail", "model"
MOST_FILES = 10  # that a file input takes
QUESTION_LIMIT = 3_000  # characters; a plain text input takes no more
METADATA_LIMIT = 3_000
MODEL_NAME = re.compile(r"[\w.:/@+-]{1,100}")

NO_FILES = "Choose at least one picture."
NO_QUESTION = "Write a question."
NO_MODEL = "This is no model's name: letters, digits and . : / - only."

View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something was asked for, and so where its answer goes."""

    channel: str
    person: str
    root: str = ""
    """Empty outside of threads."""
    url: str = ""
    """The address that Slack gave for answers to this very thing."""
    fresh: bool = True
    """False when the answer replaces what was pressed, which only this person sees."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a person filled in."""

    spot: Spot
    question: str = ""
    detail: str = ""
    model: str = ""
    files: tuple[Attachment, ...] = ()
    message: str = ""
    """The message that was pointed at."""
    token: str = ""
    """The button that was pressed, where it was one."""

    @property
    def options(self) -> dict[str, str]:
        """What was chosen for this one question."""
        chosen = {"detail": self.detail, "model": self.model}
        return {name: value for name, value in chosen.items() if value}


def estimating(spot: Spot) -> View:
    """The form of `/estimate`."""
    files = {"type": "file_input", "action_id": FILES, "max_files": MOST_FILES}
    return modal(
        ESTIMATE,
        "Estimate a cost",
        "Estimate",
        {"c": spot.channel, "r": spot.root, "u": spot.url},
        [
            labelled(FILES, "Pictures", files),
            labelled(QUESTION, "Question", written(), optional=True),
            *choices(),
        ],
    )


def asking(spot: Spot, message: str, files: Sequence[Attachment], token: str = "") -> View:
    """The form that asks for a question about pictures; `token` is the button that it comes from."""
    said = f"{len(files)} pictures" if len(files) != 1 else "1 picture"
    about = {"type": "plain_text", "text": f"About {said}; all here will see the question."}
    where = {"c": spot.channel, "r": spot.root, "u": spot.url, "m": message, "t": token}
    return modal(
        ASK,
        "Ask about this",
        "Ask",
        where | {"f": [file.id for file in files]},
        [
            {"type": "context", "elements": [about]},
            labelled(QUESTION, "Question", written()),
            *choices(),
        ],
    )


def modal(callback: str, title: str, submit: str, where: Json, blocks: list[View]) -> View:
    metadata = packed(where)
    while len(metadata) > METADATA_LIMIT and where.get("f"):
        where = {**where, "f": where["f"][:-1]}
        metadata = packed(where)
    if len(metadata) > METADATA_LIMIT:
        metadata = packed({**where, "u": ""})
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title),
        "submit": plain(submit),
        "close": plain("Cancel"),
        "private_metadata": metadata,
        "blocks": blocks,
    }


def packed(where: Json) -> str:
    return json.dumps(where, separators=(",", ":"))


def choices() -> list[View]:
    """What every form lets people choose."""
    details = [{"text": plain(name), "value": name} for name in get_args(Detail)]
    select = {"type": "static_select", "action_id": DETAIL, "options": details}
    name = {"type": "plain_text_input", "action_id": MODEL, "max_length": 100}
    return [
        labelled(DETAIL, "Detail", select, optional=True),
        labelled(MODEL, "Model", name, optional=True),
    ]


def labelled(name: str, label: str, element: View, *, optional: bool = False) -> View:
    block = {"type": "input", "block_id": name, "label": plain(label), "element": element}
    return block | {"optional": optional}


def written() -> View:
    return {
        "type": "plain_text_input",
        "action_id": QUESTION,
        "multiline": True,
        "max_length": QUESTION_LIMIT,
    }


def plain(words: str) -> View:
    return {"type": "plain_text", "text": words, "emoji": False}


def filled(body: Json) -> Form:
    """What a person sent; what is missing or broken is empty."""
    view = table(body.get("view"))
    values = table(table(view.get("state")).get("values"))
    where = metadata_of(view)
    files = items(table(table(values.get(FILES)).get(FILES)).get("files"))
    known = [attachment(file) for file in files[:MOST_FILES]]
    pointed = where.get("f")
    named = [name for name in pointed if isinstance(name, str)] if isinstance(pointed, list) else []
    root, message = text(where, "r"), text(where, "m")
    selected = table(field(values, DETAIL).get("selected_option"))
    return Form(
        spot=Spot(
            channel=text(where, "c"),
            person=text(table(body.get("user")), "id"),
            root=root if timestamp(root) is not None else "",
            url=text(where, "u"),
        ),
        question=unescape(text(field(values, QUESTION), "value")).strip(),
        detail=text(selected, "value"),
        model=unescape(text(field(values, MODEL), "value")).strip(),
        files=tuple(file for file in known if file) or tuple(Attachment(n, n) for n in named),
        message=message if timestamp(message) is not None else "",
        token=text(where, "t"),
    )


def field(values: Json, name: str) -> Json:
    return table(table(values.get(name)).get(name))


def metadata_of(view: Json) -> Json:
    """What we wrote into the form ourselves."""
    try:
        return table(json.loads(text(view, "private_metadata") or "{}"))
    except ValueError:
        return {}


def errors(callback: str, form: Form) -> dict[str, str]:
    """What is wrong with a form, by its field."""
    found = {}
    if callback == ESTIMATE and not form.files:
        found[FILES] = NO_FILES
    if callback == ASK and not form.question:
        found[QUESTION] = NO_QUESTION
    if form.model and not MODEL_NAME.fullmatch(form.model):
        found[MODEL] = NO_MODEL
    return found
