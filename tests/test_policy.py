"""What is worth another attempt, and how soon."""

import pytest

from circle_ws import errors
from circle_ws.policy import Failure, Verdict, classify

_RETRIED: list[Exception] = [
    errors.ConnectionFailed("refused"),
    errors.ConnectionFailed("bad gateway", http_status=502),
    errors.ConnectionFailed("internal error", phase="authenticate"),
    errors.ConnectionLost.closed(1006),
    errors.ConnectionLost.closed(1001),
    errors.ConnectionLost.closed(1000),
    errors.ConnectionLost.closed(1009),
    errors.ProtocolError("five malformed messages"),
]
_FATAL: list[Exception] = [
    errors.InvalidKey("no key"),
    errors.InvalidNonce("a JWT"),
    errors.SignerFailed("the person said no"),
    errors.AuthError("no circle"),
    errors.RedirectRefused("moved", http_status=301),
    errors.ConfigError("no proxy here"),
    errors.UnsupportedRuntime("no pings here"),
]


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("cause", _RETRIED, ids=_name)
def test_a_client_that_was_connected_tries_again(cause: Exception) -> None:
    """After a first success a lost link or a failed attempt is retried, with no delay but the back-off's."""
    assert classify(Failure(cause, ever_connected=True)) == Verdict(retry=True, at_least=0.0)


@pytest.mark.parametrize("ever_connected", [True, False])
@pytest.mark.parametrize("cause", _FATAL, ids=_name)
def test_what_no_attempt_can_mend_is_fatal(cause: Exception, ever_connected: bool) -> None:
    """A bad key, nonce or option, a refusing signer and a redirect end the client, connected before or not."""
    assert classify(Failure(cause, ever_connected=ever_connected)).retry is False


@pytest.mark.parametrize("cause", [*_RETRIED, *_FATAL], ids=_name)
def test_the_first_connect_makes_one_attempt(cause: Exception) -> None:
    """Whatever fails before the client was ever connected is told at once."""
    assert classify(Failure(cause, ever_connected=False)).retry is False


@pytest.mark.parametrize(
    ("retry_after", "at_least"), [(None, 0.0), (0.0, 0.0), (2.5, 2.5), (300.0, 300.0), (301.0, 300.0), (1e9, 300.0)]
)
def test_retry_after_is_a_floor(retry_after: float | None, at_least: float) -> None:
    """The server's `Retry-After` is kept, up to 300 s."""
    cause = errors.ConnectionFailed("busy", http_status=503, retry_after=retry_after)
    assert classify(Failure(cause, ever_connected=True)) == Verdict(retry=True, at_least=at_least)
