"""The timeline of an examination: its steps, each with what was found, how long it took and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Literal, TypeAlias

from ...errors import CircleWsError, ConnectionLost

__all__ = ["Outcome", "Step", "Timeline"]

Outcome: TypeAlias = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an examination. Its texts hold no secret and no control character.

    Attributes:
        name: `proxy`, `dns`, `tcp`, `tls`, `upgrade`, `circle`, `params`, `dialect`, `profile`, `sign-in`,
            `keep-alive` or `round trips`.
        outcome: Whether it is as it should be; a warning needs no remedy for the circle to be usable.
        found: What was found.
        remedy: What to do about it; empty if there is nothing to do.
        seconds: How long it took; None if nothing was waited for.
        error: What failed; None unless the outcome is `failed`.
    """

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""
    seconds: float | None = None
    error: CircleWsError | None = None


class Timeline:
    """The steps so far.

    Args:
        tell: Called with each step as soon as it has ended.
    """

    def __init__(self, tell: Callable[[Step], None]) -> None:
        self._tell = tell
        self.steps: list[Step] = []

    def add(
        self, name: str, found: str, *, remedy: str = "", outcome: Outcome = "ok", seconds: float | None = None
    ) -> None:
        """Add a step that has not failed."""
        self._add(Step(name, outcome, found, remedy, seconds))

    def fail(self, name: str, error: CircleWsError, remedy: str, *, seconds: float | None = None) -> None:
        """Add a step that has failed."""
        self._add(Step(name, "failed", _words(error), remedy, seconds, error))

    def _add(self, step: Step) -> None:
        self.steps.append(step)
        self._tell(step)


def _words(error: CircleWsError) -> str:
    """Return what an error says, and the code of the close that it comes from."""
    cause = error.__cause__
    return f"{error} (code {cause.code})" if isinstance(cause, ConnectionLost) else str(error)


class Stopwatch:
    """The seconds since it was made."""

    def __init__(self) -> None:
        self._began = perf_counter()

    @property
    def seconds(self) -> float:
        """The seconds so far."""
        return perf_counter() - self._began
