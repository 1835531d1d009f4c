"""What Discord refuses, as sentences for people, by its documented error codes."""

from bot.errors import PermanentError

UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = (
    10015  # of an interaction: it is not acknowledged yet; once it is over, Discord says 50027
)
ALREADY_ACKNOWLEDGED = 40060
MISSING_ACCESS = 50001
NOT_OUR_MESSAGE = 50005
EMPTY_MESSAGE = 50006
MISSING_PERMISSION = 50013
ARCHIVED = 50083
REPLY_NEEDS_HISTORY = 160002
THREAD_EXISTS = 160004
LOCKED = 160005
TOO_MANY_THREADS = 160006
EDITS_SPENT = 30046

SENTENCES = {
    UNKNOWN_CHANNEL: "The channel is gone.",
    UNKNOWN_MESSAGE: "The message is gone.",
    MISSING_ACCESS: "I may not see this channel: give me View Channel and Read Message History there.",
    MISSING_PERMISSION: (
        "I lack a permission here: give me Send Messages, Create Public Threads, Send Messages in "
        "Threads and Read Message History."
    ),
    50007: "This person takes no direct messages from me.",
    ARCHIVED: "This thread is archived, so I cannot write in it.",
    LOCKED: "This thread is locked, so I cannot write in it.",
    TOO_MANY_THREADS: "This server has too many active threads; close some of them.",
    200000: "The server's AutoMod does not let this answer through.",
    200001: "The server's AutoMod does not let this answer through.",
}


class Refused(PermanentError):
    """Discord says no, and will say so again; `code` is its own."""

    def __init__(self, code: int, status: int) -> None:
        super().__init__(SENTENCES.get(code, f"Discord refused it (code {code}, status {status})."))
        self.code = code
        self.status = status
