"""The fuzzing targets hold over their corpus, and over small changes of it; `nox -s fuzz` goes on from there."""

import importlib
import random
from pathlib import Path
from typing import Any

import pytest

from circle_ws.auth import flow
from circle_ws.jsonrpc.responder import Responder
from fuzz import TARGETS

_CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
_INPUTS = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(_CORPUS.glob("*/*"))}
_CHANGES = 20


def _changed(data: bytes, rng: random.Random) -> bytes:
    """Return the input with a few bytes of it gone, doubled or others."""
    bytes_left = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(bytes_left) + 1)
        end = at + rng.randint(0, 3)
        bytes_left[at:end] = rng.choice([b"", rng.randbytes(1), bytes_left[at:end] * 2])
    return bytes(bytes_left)


def _target(name: str) -> Any:
    return importlib.import_module(f"fuzz.{name}").one_input


def test_every_target_has_a_corpus() -> None:
    """And there is no corpus without a target."""
    assert {name.partition("/")[0] for name in _INPUTS} == set(TARGETS)


@pytest.mark.parametrize("name", _INPUTS)
def test_an_input_and_its_neighbours(name: str) -> None:
    """Nothing is raised, for the input as for what it becomes by small changes."""
    one_input = _target(name.partition("/")[0])
    one_input(_INPUTS[name])
    rng = random.Random(name)
    for _ in range(_CHANGES):
        changed = _changed(_INPUTS[name], rng)
        try:
            one_input(changed)
        except Exception as error:
            error.add_note(f"the input: {changed!r}")
            raise


def test_a_target_sees_what_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check of the nonce the sign-in would sign anything, and its target tells."""
    monkeypatch.setattr(flow, "_GRAMMAR", r"(?s:.*)")
    with pytest.raises(AssertionError, match="it signs what is no nonce"):
        _target("sign_in")(b'\0\0\n"pay 100 to mallory"')


def test_a_target_sees_what_a_circle_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response without an error's message is told."""
    text = '{"jsonrpc":"2.0","id":1,"error":{"code":1}}'
    monkeypatch.setattr(Responder, "failure", lambda *_, **__: text)
    with pytest.raises((AssertionError, KeyError)):
        _target("circle")(b'signed in\n{"jsonrpc":"2.0","id":1,"method":"none"}')
