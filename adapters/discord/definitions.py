"""The commands as people see them, and whether Discord knows them as they are. Pure."""

from collections.abc import Mapping, Sequence

from adapters.discord.wire import Json, items, number, string, strings

SUBCOMMAND, TEXT, FILE = 1, 3, 11  # option types
SLASH, ON_MESSAGE, LAUNCH = 1, 3, 4  # command types
GIVEN = ("application_id", "version")  # what Discord alone says of a command
PICTURES = 10
QUESTION_CHARACTERS = 4000
MODEL_CHARACTERS = 100

ESTIMATE, ASK, VISION = "estimate", "ask", "vision"
ESTIMATE_MENU, ASK_MENU = "Estimate cost", "Ask about this"
SETTINGS = (
    "model",
    "detail",
    "limit",
    "instructions",
    "preset",
    "follow_ups",
    "retention",
    "question",
    "budget_person_day",
    "budget_person_month",
    "budget_channel_day",
    "budget_channel_month",
    "budget_workspace_day",
    "budget_workspace_month",
)

EVERYWHERE = {"contexts": [0, 1, 2], "integration_types": [0, 1]}
"""In servers, with the bot and between others; added to a server or to somebody's own account."""
IN_SERVERS = {"contexts": [0, 1], "integration_types": [0]}
"""For an application that may not be added to accounts."""


def definitions(where: Mapping[str, list[int]] = EVERYWHERE) -> list[Json]:
    """All commands, for the places where the application may be."""
    made: list[Json] = [
        {
            "type": SLASH,
            "name": ESTIMATE,
            "description": "What would a question about these pictures cost?",
            "options": [
                *pictures(),
                text("size", "Sizes instead of pictures, such as 1920x1080 x3", 200),
                detail(),
                model(),
                text("question", "The question, to count its tokens", QUESTION_CHARACTERS),
            ],
        },
        {
            "type": SLASH,
            "name": ASK,
            "description": "Ask about pictures, for all to see",
            "options": [
                text("question", "What do you want to know?", QUESTION_CHARACTERS, required=True),
                *pictures(),
                detail(),
                model(),
            ],
        },
        {
            "type": SLASH,
            "name": VISION,
            "description": "What this bot can do, what it has cost, and how it is set",
            "options": subcommands(),
        },
        {"type": ON_MESSAGE, "name": ESTIMATE_MENU},
        {"type": ON_MESSAGE, "name": ASK_MENU},
    ]
    return [{**each, **where} for each in made]


def subcommands() -> list[Json]:
    """What stands behind `/vision`."""
    return [
        subcommand("help", "How to ask, what it costs, what a model cannot see"),
        subcommand("new", "Start a new conversation here, without the pictures so far"),
        subcommand("forget", "Erase what you asked, with its answers and pictures"),
        subcommand(
            "usage",
            "What was spent",
            text("of", "By whom", 20, choices=("me", "thread", "channel", "workspace")),
            text("since", "Since when", 20, choices=("today", "month")),
        ),
        subcommand(
            "settings",
            "See or change the model, the detail and the limits",
            text("where", "For what it holds", 20, choices=("thread", "channel", "workspace")),
            text("name", "What to set", 40, choices=SETTINGS),
            text("value", "The new value; reset takes it back", QUESTION_CHARACTERS),
        ),
    ]


def subcommand(name: str, description: str, *options: Json) -> Json:
    return {"type": SUBCOMMAND, "name": name, "description": description, "options": list(options)}


def text(
    name: str,
    description: str,
    most: int,
    *,
    required: bool = False,
    choices: Sequence[str] = (),
) -> Json:
    """An option to be typed, or chosen."""
    option: dict[str, object] = {"type": TEXT, "name": name, "description": description}
    if required:
        option["required"] = True
    if choices:
        option["choices"] = [{"name": each, "value": each} for each in choices]
    else:
        option["max_length"] = most
    return option


def pictures() -> list[Json]:
    return [
        {"type": FILE, "name": f"picture{n}", "description": f"Picture {n}"}
        for n in range(1, PICTURES + 1)
    ]


def detail() -> Json:
    choices = ("low", "high", "auto", "original")
    return text("detail", "How closely the model looks", 20, choices=choices)


def model() -> Json:
    return text("model", "Another model than usual", MODEL_CHARACTERS)


def same(known: Sequence[Json], wanted: Sequence[Json]) -> bool:
    """Whether Discord knows these commands already."""
    ours = (each for each in known if not foreign(each))
    return sorted(map(essence, ours)) == sorted(map(essence, wanted))


def kept(known: Sequence[Json]) -> list[Json]:
    """What is to be told again of the commands that are not ours, since Discord forgets what is not."""
    return [
        {key: value for key, value in each.items() if key not in GIVEN}
        for each in known
        if foreign(each)
    ]


def foreign(definition: Json) -> bool:
    """Whether it starts an Activity of the application: Discord does not let it be taken away."""
    return number(definition, "type") == LAUNCH


def essence(definition: Json) -> str:
    """What makes a command what it is, without what Discord adds to it."""
    parts: dict[str, object] = {
        "type": number(definition, "type") or SLASH,
        "name": string(definition, "name"),
        "description": string(definition, "description"),
        "contexts": sorted(strings(definition, "contexts")),
        "integration_types": sorted(strings(definition, "integration_types")),
        "options": [option_essence(option) for option in items(definition, "options")],
    }
    return repr(parts)


def option_essence(option: Json) -> Mapping[str, object]:
    return {
        "type": number(option, "type"),
        "name": string(option, "name"),
        "description": string(option, "description"),
        "required": bool(option.get("required")),
        "max_length": number(option, "max_length"),
        "choices": [
            (choice.get("name"), choice.get("value")) for choice in items(option, "choices")
        ],
        "options": [option_essence(each) for each in items(option, "options")],
    }
