"""What an error tracker records of an exception: the local variables of every frame, over causes and contexts."""

import traceback
from collections.abc import Iterator

__all__ = ["recorded"]


def recorded(error: BaseException) -> str:
    """Return the variables of our own frames, and all the texts, as an error tracker would send them."""
    return "\n".join(text for one in _chain(error, []) for text in _told(one))


def _chain(error: BaseException | None, seen: list[BaseException]) -> Iterator[BaseException]:
    if error is None or any(error is other for other in seen):
        return
    seen.append(error)
    yield error
    yield from _chain(error.__cause__, seen)
    yield from _chain(error.__context__, seen)


def _told(error: BaseException) -> Iterator[str]:
    yield f"{error!r} {error} {vars(error)!r}"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").startswith("circle_ws"):
            summary = traceback.StackSummary.extract([(frame, frame.f_lineno)], capture_locals=True)[0]
            yield f"{frame.f_code.co_qualname}: {summary.locals}"
