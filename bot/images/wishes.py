"""What a picture is prepared for: the model's rule, and what the installer chose."""

from dataclasses import dataclass, field
from typing import Literal

from bot.domain import Detail
from bot.tokens import Rule, Size


@dataclass(frozen=True, slots=True)
class Options:
    """What the installer chose."""

    animations: Literal["storyboard", "first"] = "storyboard"
    """What is shown of an animation: several of its frames in one picture, or the first alone."""
    split_tall: bool = False
    """Whether very long screenshots are cut into readable parts."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a picture is wanted for."""

    rule: Rule
    detail: Detail
    options: Options = field(default_factory=Options)

    @property
    def form(self) -> str:
        """The name of the size rule; equal forms mean equal prepared bytes."""
        return self.rule.form(self.detail)

    def target(self, size: Size) -> Size:
        """The largest size worth sending."""
        return self.rule.target(*size, self.detail)

    def alike(self, one: Size, other: Size) -> bool:
        """Whether two sizes cost the same."""
        return self.rule.alike(one, other, self.detail)

    def parts(self, size: Size) -> tuple[Size, ...]:
        """The sizes of the parts into which a picture is cut; its own alone leaves it whole."""
        return self.rule.parts(*size, self.detail) if self.options.split_tall else (size,)
