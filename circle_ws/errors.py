"""Every error of circle-ws, arranged by who must act.

```
CircleWsError
├── ConfigError (ValueError)            the caller built it wrongly
│   └── UnsupportedRuntime              ... for this runtime
├── InvalidRequest (ValueError)         these params cannot be sent
├── NotConnected                        the client was never started, or gave up
├── ClientClosed
├── ConnectionFailed (ConnectionError)  this attempt failed
│   └── RedirectRefused
├── ConnectionLost (ConnectionError)    the connection was lost
│   └── OutcomeUnknown                  ... after the request was written: it may have run
├── AuthError                           signing in did not work
│   ├── InvalidKey (ValueError)
│   ├── InvalidNonce
│   ├── AuthRejected
│   ├── SignerFailed
│   └── DowngradeDetected
├── RpcError                            the server said no
├── ProtocolError                       the peer broke JSON-RPC
│   ├── InvalidResult                   the result is not what was asked for
│   └── MessageTooLarge
├── CallTimeout (TimeoutError)
└── QueueFull
```

Errors hold their data as attributes, chain their causes and pickle. None carries a private key, a nonce or a
signature. What a peer said is whole in the attributes, and escaped and cut in the text.
"""

from __future__ import annotations

from typing import Any

from .text import shown

__all__ = [
    "AuthError",
    "AuthRejected",
    "CallTimeout",
    "CircleWsError",
    "ClientClosed",
    "ConfigError",
    "ConnectionFailed",
    "ConnectionLost",
    "DowngradeDetected",
    "InvalidKey",
    "InvalidNonce",
    "InvalidRequest",
    "InvalidResult",
    "MessageTooLarge",
    "NotConnected",
    "OutcomeUnknown",
    "ProtocolError",
    "QueueFull",
    "RedirectRefused",
    "RpcError",
    "SignerFailed",
    "UnsupportedRuntime",
]


class CircleWsError(Exception):
    """Be the base of everything that this library raises on purpose."""


class ConfigError(CircleWsError, ValueError):
    """Tell that an option is wrong; nothing was dialled.

    Attributes:
        option: The name of the option, as in `ClientConfig`.
    """

    def __init__(self, message: str, *, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class UnsupportedRuntime(ConfigError):
    """Tell that this runtime (a browser, say) cannot do what an option asks for."""


class InvalidRequest(CircleWsError, ValueError):
    """Tell that a method or its params cannot be sent as JSON-RPC; nothing was sent."""


class NotConnected(CircleWsError):
    """Tell that the client was never started, or gave up; `connect()` starts it anew.

    The cause, where there is one, is what ended it (`client.failure`).
    """


class ClientClosed(CircleWsError):
    """Tell that `close()` was called on the client; that is final."""


class ConnectionFailed(CircleWsError, ConnectionError):
    """Tell that one attempt to connect failed.

    Attributes:
        phase: How far it came: `open`, `nonce`, `authenticate`, `setup`.
        http_status: The HTTP status that the server answered the upgrade with; None where there was none, and
            always None in a browser, which does not show it.
        retry_after: The server's `Retry-After`, in seconds, or None.
        bad_certificate: Whether the server's TLS certificate is not to be trusted; always False in a browser.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: str = "open",
        http_status: int | None = None,
        retry_after: float | None = None,
        bad_certificate: bool = False,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.http_status = http_status
        self.retry_after = retry_after
        self.bad_certificate = bad_certificate


class RedirectRefused(ConnectionFailed):
    """Tell that the server answered with an HTTP redirect, which is never followed."""


class ConnectionLost(CircleWsError, ConnectionError):
    """Error of an open connection that was lost.

    Attributes:
        code: The close code (RFC 6455 section 7.4); 1006 when there was none.
        reason: The peer's own words as they came, often empty; the message has them escaped.
        local: True when this side closed the connection.
    """

    def __init__(self, message: str, *, code: int = 1006, reason: str = "", local: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.local = local

    @classmethod
    def closed(cls, code: int, reason: str = "", *, local: bool = False) -> ConnectionLost:
        """Return the error for a connection that was closed with `code` and `reason`."""
        who = "this client" if local else "the peer"
        words = f"{who} closed the connection with code {code}"
        if code == 1006:
            # RFC 6455 section 7.4.1: never sent; it stands for a connection that ended without a close frame.
            words = "the connection ended without a closing handshake (1006)"
        return cls(
            f"{words}{': ' + shown(reason) if reason else ''}",
            code=code,
            reason=reason,
            local=local,
        )


class OutcomeUnknown(ConnectionLost):
    """Error of a connection that was lost after the request was written and before its reply arrived.

    The circle may or may not have run it. Ask the circle before sending it again.
    """


class AuthError(CircleWsError):
    """Tell that signing in did not work; the cause is what the circle answered.

    Attributes:
        phase: `key`, `nonce`, `sign` or `authenticate`.
    """

    def __init__(self, message: str, *, phase: str = "authenticate") -> None:
        super().__init__(message)
        self.phase = phase


class InvalidKey(AuthError, ValueError):
    """Tell that a text or bytes are not a secp256k1 key; the message never holds them."""

    def __init__(self, message: str, *, phase: str = "key") -> None:
        super().__init__(message, phase=phase)


class InvalidNonce(AuthError):
    """Tell that what the circle gave as a nonce must not be signed; nothing was."""

    def __init__(self, message: str, *, phase: str = "nonce") -> None:
        super().__init__(message, phase=phase)


class AuthRejected(AuthError):
    """Tell that the circle refused this key or its signature."""


class SignerFailed(AuthError):
    """Tell that the signer failed, refused, or took longer than `sign_timeout`."""

    def __init__(self, message: str, *, phase: str = "sign") -> None:
        super().__init__(message, phase=phase)


class DowngradeDetected(AuthError):
    """Tell that the circle does not offer to bind signatures to itself, though it must or did before."""

    def __init__(self, message: str, *, phase: str = "nonce") -> None:
        super().__init__(message, phase=phase)


class RpcError(CircleWsError):
    """Tell that the server answered a call with an error object (JSON-RPC 2.0 section 5.1).

    Attributes:
        code: The number that the server gave.
        message: The server's short description, whole and as it came; as text the error has it escaped and cut.
        data: What the server added, as plain JSON values, or None.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"the server answered with error {self.code}: {shown(str(self.message))}"

    def __repr__(self) -> str:
        # What is never retrieved from a task is logged so.
        data = "" if self.data is None else f", {shown(repr(self.data))}"
        return f"{type(self).__name__}({self.code}, '{shown(str(self.message))}'{data})"


class ProtocolError(CircleWsError):
    """Tell that the peer broke JSON-RPC 2.0 or sent what is no text message."""


class InvalidResult(ProtocolError):
    """Tell that a result is not what `returns` asked for; the message never holds the value.

    The cause, where there is one, is what the type's own code or the function raised; its words may hold the value.

    Attributes:
        path: Where it does not fit, as in `$.user.tags[3]`; `$` is the whole result.
    """

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.path = path


class MessageTooLarge(ProtocolError):
    """Tell that a message is over its limit.

    Attributes:
        size: Its size in bytes of UTF-8, where it is known.
        limit: The limit, in bytes of UTF-8.
        beginning: The beginning of a message that came in, where a transport has it; empty of one during a sign-in.
    """

    beginning: str = ""

    def __init__(self, message: str, *, size: int | None = None, limit: int | None = None, beginning: str = "") -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit
        if beginning:
            self.beginning = beginning


class CallTimeout(CircleWsError, TimeoutError):
    """Tell that the time for a call or a wait is over.

    Attributes:
        phase: Where it ended: `open`, `nonce`, `sign`, `authenticate`, `setup`, `queue` or `reply`. After `reply`
            the request was written and may have run; the message says so too of one that was written before a loss.
    """

    def __init__(self, message: str, *, phase: str = "reply") -> None:
        super().__init__(message)
        self.phase = phase


class QueueFull(CircleWsError):
    """Tell that too many calls wait for a slot or for the link; this one was not queued."""
