"""What is worth another attempt, and how soon: the table of docs/reliability.md, row by row."""

import pytest

from circle_ws import errors
from circle_ws.policy import Failure, Verdict, classify


def http(status: int) -> errors.ConnectionFailed:
    return errors.ConnectionFailed(f"HTTP {status}", http_status=status)


def closed(code: int, *, local: bool = False) -> errors.ConnectionLost:
    return errors.ConnectionLost.closed(code, local=local)


CERTIFICATE = errors.ConnectionFailed("a bad certificate", bad_certificate=True)
REJECTED = errors.AuthRejected("no")

_RETRIED: list[Exception] = [
    errors.ConnectionFailed("refused"),
    errors.ConnectionFailed("internal error", phase="authenticate"),
    errors.ProtocolError("an incomplete offer"),
    *(http(status) for status in (408, 425, 429, 500, 502, 503, 504)),
    *(closed(code) for code in (1000, 1001, 1005, 1006, 1009, 1011, 4000)),
    *(closed(code, local=True) for code in (1002, 1006, 1007, 1009, 1012, 1013, 4401)),
]
_FATAL: list[Exception] = [
    errors.InvalidKey("no key"),
    errors.InvalidNonce("a JWT"),
    errors.SignerFailed("the person said no"),
    errors.DowngradeDetected("stripped"),
    errors.AuthError("no circle"),
    errors.ConfigError("no proxy here"),
    errors.UnsupportedRuntime("no pings here"),
]


def _name(error: object) -> str:
    return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("consecutive", [1, 100])
@pytest.mark.parametrize("ever_connected", [True, False])
@pytest.mark.parametrize("cause", _RETRIED, ids=_name)
def test_what_time_may_mend_is_tried_again(cause: Exception, ever_connected: bool, consecutive: int) -> None:
    """A lost connection or a failed attempt is retried, however often, with no delay but the back-off's."""
    assert classify(Failure(cause, "open", ever_connected, consecutive)) == Verdict(retry=True)


@pytest.mark.parametrize("ever_connected", [True, False])
@pytest.mark.parametrize("cause", _FATAL, ids=_name)
def test_what_no_attempt_can_mend_is_fatal(cause: Exception, ever_connected: bool) -> None:
    """A bad key, nonce or option, a refusing signer and a downgrade end the client."""
    assert classify(Failure(cause, "open", ever_connected)).retry is False


@pytest.mark.parametrize(
    "cause",
    [
        CERTIFICATE,
        *(http(status) for status in (300, 302, 399, 400, 401, 403, 404, 426, 451)),
        errors.RedirectRefused("moved", http_status=301),
        errors.RedirectRefused("moved"),
    ],
    ids=_name,
)
class TestSeldomMended:
    """A bad certificate, HTTP 4xx and a redirect: an ingress that is re-made, or a maintenance page, shows them too."""

    def test_it_is_fatal_to_a_client_that_was_to_connect_once(self, cause: Exception) -> None:
        """Never connected: most likely the URL is wrong, so waiting is pointless."""
        assert classify(Failure(cause, "open", ever_connected=False, consecutive=1, seconds=0)).retry is False

    @pytest.mark.parametrize("connected", [True, False])
    def test_it_is_fatal_after_three_in_a_row_and_two_minutes(self, cause: Exception, connected: bool) -> None:
        """Both together, to a client that was connected and to one that keeps trying from the start."""

        def retried(consecutive: int, seconds: float) -> bool:
            failure = Failure(cause, "open", connected, consecutive, seconds=seconds, persistent=not connected)
            return classify(failure).retry

        assert [retried(n, 119.9) for n in (1, 2, 3, 4, 1000)] == [True] * 5
        assert [retried(n, 120.0) for n in (1, 2, 3, 4)] == [True, True, False, False]


@pytest.mark.parametrize("cause", [REJECTED, closed(4401), closed(4403)], ids=_name)
def test_a_rejection_is_fatal_at_first_and_after_two(cause: Exception) -> None:
    """A refused key: fatal on the first connect; on a reconnect retried once, then fatal."""
    for persistent in (True, False):
        failure = Failure(cause, "authenticate", ever_connected=False, persistent=persistent)
        assert classify(failure).retry is False
    verdicts = [classify(Failure(cause, "authenticate", ever_connected=True, consecutive=n)).retry for n in (1, 2, 3)]
    assert verdicts == [True, False, False]


@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1010])
@pytest.mark.parametrize("ever_connected", [True, False])
def test_three_closes_with_a_protocol_code_are_fatal(code: int, ever_connected: bool) -> None:
    """A peer that keeps complaining about us will not stop."""
    verdicts = [classify(Failure(closed(code), "serve", ever_connected, n)).retry for n in (1, 2, 3)]
    assert verdicts == [True, True, False]


def test_a_restart_and_a_full_house_have_their_own_delays() -> None:
    """1012: between 0.5 and 5 s, growing when it repeats. 1013: 10 s at least."""
    restart = Verdict(retry=True, between=(0.5, 5.0), grows=True)
    assert classify(Failure(closed(1012), "serve", ever_connected=True)) == restart
    assert classify(Failure(closed(1013), "serve", ever_connected=True)) == Verdict(retry=True, at_least=10.0)


@pytest.mark.parametrize(
    ("retry_after", "at_least"), [(None, 0.0), (0.0, 0.0), (2.5, 2.5), (300.0, 300.0), (301.0, 300.0), (1e9, 300.0)]
)
def test_retry_after_is_a_floor(retry_after: float | None, at_least: float) -> None:
    """The server's `Retry-After` is kept, up to 300 s."""
    cause = errors.ConnectionFailed("busy", http_status=503, retry_after=retry_after)
    assert classify(Failure(cause, "open", ever_connected=True)) == Verdict(retry=True, at_least=at_least)


@pytest.mark.parametrize("consecutive", [1, 2, 3])
@pytest.mark.parametrize("ever_connected", [True, False])
@pytest.mark.parametrize("code", [1000, 1002, 1006, 1008, 1012, 1013, 4401, 4403])
def test_a_close_while_signing_in_counts_as_what_it_is(code: int, ever_connected: bool, consecutive: int) -> None:
    """The failure of an attempt that the peer closed is decided by its code, as the loss of a connection that stood."""
    failed = errors.ConnectionFailed("the server closed the connection during the sign-in", phase="nonce")
    failed.__cause__ = closed(code)
    expected = classify(Failure(closed(code), "serve", ever_connected, consecutive))
    assert classify(Failure(failed, "nonce", ever_connected, consecutive)) == expected
    failed.__cause__ = closed(code, local=True)
    assert classify(Failure(failed, "nonce", ever_connected, consecutive)) == Verdict(retry=True)
