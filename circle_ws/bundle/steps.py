"""What the steps of making a bundle share: where each is told, and the environment of the programs that they run."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["environment", "step", "telling"]

_Say = Callable[[str], None]


def _print(words: str) -> None:
    print(f"bundle: {words}", flush=True)


_say: ContextVar[_Say] = ContextVar("say", default=_print)
_environ: ContextVar[Mapping[str, str] | None] = ContextVar("environ", default=None)


def step(words: str) -> None:
    """Tell what is done now, or what is to be known of it."""
    _say.get()(words)


def environment() -> Mapping[str, str]:
    """Return the environment of the programs that are run."""
    given = _environ.get()
    return os.environ if given is None else given


@contextmanager
def telling(say: _Say, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Have the steps of a block told in another way than by lines on stdout.

    Args:
        say: Takes the words of each step, in the thread that does it.
        environ: The environment of the programs that are run; `None` is that of this process.
    """
    before = _say.set(say), _environ.set(environ)
    try:
        yield
    finally:
        _say.reset(before[0])
        _environ.reset(before[1])
