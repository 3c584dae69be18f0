"""Every error of circle-ws, grouped by the party that must act.

```
CircleWsError
├── ConfigError (ValueError)            an option is wrong
│   └── UnsupportedRuntime              ... for this runtime
├── InvalidRequest (ValueError)         these params cannot be sent
├── NotConnected                        the client was never started, or gave up
├── ClientClosed
├── ConnectionFailed (ConnectionError)  this attempt failed
│   └── RedirectRefused
├── ConnectionLost (ConnectionError)    the connection was lost
│   └── OutcomeUnknown                  ... after the request was written: it may have run
├── AuthError                           the sign-in failed
│   ├── InvalidKey (ValueError)
│   ├── InvalidNonce
│   ├── AuthRejected
│   ├── SignerFailed
│   └── DowngradeDetected
├── RpcError                            the server answered with an error
├── ProtocolError                       the peer broke JSON-RPC
│   ├── InvalidResult                   the result does not fit `returns`
│   └── MessageTooLarge
├── CallTimeout (TimeoutError)
└── QueueFull
```

Errors hold their data as attributes, chain their causes and pickle. None carries a private key, a nonce or a
signature. Attributes hold the text of a peer whole; `str()` of an error has it escaped and cut.
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
    """Base class of every error that this library raises on purpose."""


class ConfigError(CircleWsError, ValueError):
    """Raised when an option is wrong; no connection was attempted.

    Attributes:
        option: The name of the option, as in `ClientConfig`.
    """

    def __init__(self, message: str, *, option: str | None = None) -> None:
        super().__init__(message)
        self.option = option


class UnsupportedRuntime(ConfigError):
    """Raised when this runtime (a browser, for example) does not support an option."""


class InvalidRequest(CircleWsError, ValueError):
    """Raised when a method or its params cannot be sent as JSON-RPC; nothing was sent."""


class NotConnected(CircleWsError):
    """Raised when the client was never started, or gave up; `connect()` starts it again.

    The cause, if there is one, is the error that ended the client (`client.failure`).
    """


class ClientClosed(CircleWsError):
    """Raised when `close()` was called on the client; that is final."""


class ConnectionFailed(CircleWsError, ConnectionError):
    """Raised when an attempt to connect fails.

    Attributes:
        phase: The step that failed: `open`, `nonce`, `authenticate`, `setup`.
        http_status: The HTTP status of the server's answer to the upgrade; None if there was none. Always None in a
            browser, which does not show it.
        retry_after: The server's `Retry-After`, in seconds, or None.
        bad_certificate: Whether the server's TLS certificate is not trusted; always False in a browser.
        location: The `Location` of a redirect, as the server sent it; None if there was none.
        proxy: The proxy that could not be used, or that refused, without its password; None if it was not a proxy.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: str = "open",
        http_status: int | None = None,
        retry_after: float | None = None,
        bad_certificate: bool = False,
        location: str | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.http_status = http_status
        self.retry_after = retry_after
        self.bad_certificate = bad_certificate
        self.location = location
        self.proxy = proxy


class RedirectRefused(ConnectionFailed):
    """Raised when the server answers with an HTTP redirect, which is never followed."""


class ConnectionLost(CircleWsError, ConnectionError):
    """Raised when an open connection is lost.

    Attributes:
        code: The close code (RFC 6455 section 7.4); 1006 when there was none.
        reason: The peer's reason, unchanged and often empty; the message has it escaped.
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
        words += f": {shown(reason)}" if reason else ""
        return cls(words, code=code, reason=reason, local=local)


class OutcomeUnknown(ConnectionLost):
    """Raised when the connection is lost after the request was written and before its reply arrived.

    The circle may or may not have run it. Ask the circle before sending it again.
    """


class AuthError(CircleWsError):
    """Raised when the sign-in fails; the cause is the answer of the circle.

    Attributes:
        phase: `key`, `nonce`, `sign` or `authenticate`.
    """

    _usual_phase = "authenticate"

    def __init__(self, message: str, *, phase: str | None = None) -> None:
        super().__init__(message)
        self.phase: str = phase or self._usual_phase


class InvalidKey(AuthError, ValueError):
    """Raised when a text or bytes are not a secp256k1 key; the message never contains them."""

    _usual_phase = "key"


class InvalidNonce(AuthError):
    """Raised when the circle's nonce must not be signed; nothing was signed."""

    _usual_phase = "nonce"


class AuthRejected(AuthError):
    """Raised when the circle rejects the key or its signature."""


class SignerFailed(AuthError):
    """Raised when the signer fails, refuses, or takes longer than `sign_timeout`."""

    _usual_phase = "sign"


class DowngradeDetected(AuthError):
    """Raised when the circle does not offer bound signatures, although the policy requires it or it did before."""

    _usual_phase = "nonce"


class RpcError(CircleWsError):
    """Raised when the server answers a call with an error object (JSON-RPC 2.0 section 5.1).

    Attributes:
        code: The server's error code.
        message: The server's description, whole and unchanged; `str()` of the error has it escaped and cut.
        data: The server's additional data, as plain JSON values, or None.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

    def __str__(self) -> str:
        return f"the server answered with error {self.code}: {shown(str(self.message))}"

    def __repr__(self) -> str:
        # asyncio logs an exception that is never retrieved from a task by its `repr`.
        data = "" if self.data is None else f", {shown(repr(self.data))}"
        return f"{type(self).__name__}({self.code}, '{shown(str(self.message))}'{data})"


class ProtocolError(CircleWsError):
    """Raised when the peer breaks JSON-RPC 2.0 or sends something other than a text message."""


class InvalidResult(ProtocolError):
    """Raised when a result does not fit `returns`; the message never contains the value.

    The cause, if there is one, is the exception of the type's own code or of the function; its text may contain it.

    Attributes:
        path: The place that does not fit, as in `$.user.tags[3]`; `$` is the whole result.
    """

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.path = path


class MessageTooLarge(ProtocolError):
    """Raised when a message is over its limit.

    Attributes:
        size: Its size in bytes of UTF-8, if known.
        limit: The limit, in bytes of UTF-8.
        beginning: The beginning of an incoming message, if the transport has it; empty during a sign-in.
    """

    beginning: str = ""

    def __init__(self, message: str, *, size: int | None = None, limit: int | None = None, beginning: str = "") -> None:
        super().__init__(message)
        self.size = size
        self.limit = limit
        if beginning:
            self.beginning = beginning


class CallTimeout(CircleWsError, TimeoutError):
    """Raised when the deadline of a call or a wait has passed.

    Attributes:
        phase: The step at which it passed: `open`, `nonce`, `sign`, `authenticate`, `setup`, `queue`, `reply` or
            `middleware`. After `reply` the request was written and may have run. The message also says so if an
            idempotent call was written on an earlier connection.
    """

    def __init__(self, message: str, *, phase: str = "reply") -> None:
        super().__init__(message)
        self.phase = phase


class QueueFull(CircleWsError):
    """Raised when a call is not queued, because too many wait for a slot or for the connection."""
