"""Any answers of a circle to a sign-in: it ends in a documented error or in success, and signs only what it may.

The first line has the options: a profile, a policy and a dialect, by number. The others are the circle's answers, one
a line: `!CODE MESSAGE` is an error, everything else a result in JSON.
"""

import itertools
import re
from typing import Any

from circle_ws.auth import PROFILES, KeyPair
from circle_ws.auth.flow import Ask, Sign, SignInOptions, sign_in
from circle_ws.errors import AuthError, ConnectionFailed, ProtocolError, RpcError
from circle_ws.jsonrpc import codec

__all__ = ["one_input"]

_PUBLIC = KeyPair("11" * 32).public_key
_NONCE = re.compile(rb"[A-Za-z0-9_\-+/=:]{8,256}")
_CHOICES = list(
    itertools.product(
        [profile for profile in PROFILES.values() if not profile.bound],
        ("prefer-bound", "require-bound", "legacy-only"),
        ("auto", "hero-0.2", "circles-1.0"),
        ("auto", "named", "positional"),
    )
)


def _options(line: bytes) -> SignInOptions:
    profile, policy, dialect, params = _CHOICES[int.from_bytes(line[:2], "big") % len(_CHOICES)]
    return SignInOptions(
        url="wss://circle.example/",
        profile=profile,
        dialect=dialect,  # type: ignore[arg-type]
        policy=policy,  # type: ignore[arg-type]
        can_sign=frozenset(PROFILES),
        bound_before=line[2:3] == b"b",
        client_nonce=lambda: "00" * 16,
        params=params,  # type: ignore[arg-type]
    )


def _answer(line: bytes) -> tuple[Any, RpcError | None]:
    text = line.decode(errors="surrogateescape")
    if text.startswith("!"):
        code, _, message = text[1:].partition(" ")
        try:
            return None, RpcError(int(code[:6]), message)
        except ValueError:
            return None, RpcError(-32603, message)
    try:
        return codec.decode(text), None
    except ProtocolError:
        return None, None


def one_input(data: bytes) -> None:
    """Run one sign-in."""
    first, *lines = data.split(b"\n")
    flow = sign_in(_options(first), _PUBLIC)
    signatures = asked = 0
    try:
        step = next(flow)
        while True:
            if isinstance(step, Sign):
                signatures += 1
                if not step.profile.bound:
                    assert _NONCE.fullmatch(step.challenge.nonce.encode()), "it signs what is no nonce"
                step = flow.send("ab" * 64)
                continue
            assert isinstance(step, Ask)
            asked += 1
            result, error = _answer(lines.pop(0) if lines else b"null")
            step = flow.throw(error) if error is not None else flow.send(result)
    except StopIteration as done:
        assert type(done.value) is bool
        assert signatures == 1, "it signed in without a signature, or with several"
    except (AuthError, ConnectionFailed, ProtocolError) as error:
        str(error)
    assert signatures <= 1
    assert asked <= 6, "it tries for ever"
