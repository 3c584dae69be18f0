"""Every option of a client, in one frozen value. What is wrong is said here, before anything is dialled."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from ..auth.keypair import KeyPair, KeyPairSigner
from ..auth.types import (
    Dialect,
    ParamsForm,
    Policy,
    Profile,
    Signer,
)
from ..errors import ConfigError
from ..hooks import Middleware, Setup  # noqa: TC001 - `typing.get_type_hints` must find it
from ..policy import Classifier  # noqa: TC001 - `typing.get_type_hints` must find it
from ..policy.backoff import Backoff
from ..policy.liveness import KeepAlive
from ..text import Hidden
from ..transport import Connect, host_events
from ..transport import connect as runtime_connect
from ..urls import ENVIRONMENT, check_url, is_relative, shown, shown_proxy
from .checks import (
    check_choices,
    check_headers_function,
    check_is_signer,
    check_kinds,
    check_middleware,
    check_numbers,
    check_runtime,
    check_signer,
)
from .headers import HeaderSource, OpeningHeaders, check_subprotocols

if TYPE_CHECKING:
    import ssl


__all__ = ["DEFAULT", "ClientConfig", "ClientOptions", "Default", "default_keepalive"]

FirstConnect = Literal["once", "retry"]


class Default(Enum):
    """Stand for "as configured", where None means "no limit"."""

    DEFAULT = "default"


DEFAULT = Default.DEFAULT


def default_keepalive() -> KeepAlive:
    """Give the runtime's keep-alive: every 20 s; in a browser, where each one is a request, every 25 s."""
    return KeepAlive(interval=25.0 if sys.platform == "emscripten" else 20.0)


class ClientOptions(TypedDict, total=False):
    """Name what `circle_ws.connect` takes besides the URL: the fields of `ClientConfig`."""

    private_key: str | bytes | KeyPair | None
    signer: Signer | None
    profile: str | Profile
    policy: Policy
    dialect: Dialect
    params: ParamsForm
    allow_insecure: bool
    tls: ssl.SSLContext | None
    headers: HeaderSource | None
    subprotocols: Sequence[str]
    proxy: str | None
    compression: bool
    open_timeout: float | None
    call_timeout: float | None
    close_timeout: float | None
    drain_timeout: float | None
    sign_timeout: float | None
    keepalive: KeepAlive | None
    backoff: Backoff | None
    first_connect: FirstConnect
    setup: Setup | None
    middleware: Sequence[Middleware]
    classifier: Classifier | None
    max_message_bytes: int | None
    max_request_bytes: int | None
    max_in_flight: int
    max_queued: int
    max_queued_bytes: int
    transport: Connect


class _KeyHidden:
    """Have errors of a config raised where no frame holds the private key: error trackers record local variables."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __new__(cls, url=None, private_key=None, *more, **options):
            given, others = Hidden(private_key), Hidden((more, options))
            del private_key, more, options
            # A key that is given as `signer` by mistake is told of before any other frame has it.
            check_is_signer(Hidden(others.value[1].get("signer", (*others.value[0], None)[0])))
            if given.value is None or isinstance(given.value, KeyPair):
                return object.__new__(cls)
            # Whatever is wrong is found here. `__init__`, which follows with the key itself, goes the same way again.
            return cls(url, KeyPair(given.value), *others.value[0], **others.value[1])


@dataclass(frozen=True, slots=True)
class ClientConfig(_KeyHidden):
    """Hold what a client is made from. Times are in seconds; None means no limit.

    Attributes:
        url: The circle: `ws://` or `wss://`.
        private_key: 64 hex characters, 32 bytes, or a `KeyPair`; it becomes `signer` at once and is not kept.
        signer: Who signs; None does not sign in.
        profile: How nonces are signed: a `Profile` or its name.
        policy: `prefer-bound`: where the circle offers it, the signature names the circle, and a client that has signed
            so once never falls back. `require-bound`: only so. `legacy-only`: never.
        dialect: Which form of `authenticate` is spoken; `auto` finds it out.
        params: Whether the sign-in, `play` and `whoami` send params by name or by position; `auto` finds it out with
            the sign-in. Calls go as they are written.
        allow_insecure: Sign in over `ws://` to other machines too. Anybody on the path can take the session over.
        tls: An `ssl.SSLContext`, for instance with a CA of your own; None is the system's. Natively only.
        headers: What the opening handshake sends besides its own: a mapping, or an async function that is asked for one
            at every attempt, within `open_timeout`. The values are shown nowhere. Natively only.
        subprotocols: What is offered to the circle in `Sec-WebSocket-Protocol`, the best first. A circle that takes
            none of them is not connected to.
        proxy: The URL of a proxy: `http`, `https` or, with the extra `socks`, `socks5`, `socks5h`, `socks4`, `socks4a`.
            `environment`: what the environment names, a browser its settings. None: no proxy at all. Never for
            loopback. Natively only.
        compression: Offer permessage-deflate (RFC 7692). What is inflated is bounded by `max_message_bytes`. Natively
            only; a browser decides by itself.
        open_timeout: For one attempt: TCP, TLS, WebSocket handshake and sign-in, but for the signer.
        call_timeout: For one call, from `call()` to its result.
        close_timeout: For the closing handshake.
        drain_timeout: How long `close()` waits for calls in flight.
        sign_timeout: How long the signer may take; a person may have to confirm.
        keepalive: How the link is watched; None does not watch it.
        backoff: When to connect again; None does not.
        first_connect: `once`: the first `connect()` makes one attempt. `retry`: it keeps trying.
        setup: An async function that runs after every sign-in and before the calls that wait go out; it is given a
            `SetupSession` with `call` and `notify`.
        middleware: Async functions around every call and every batch, the first one outermost.
        classifier: Decides before `circle_ws.policy.classify` whether and when to connect again; what it answers with
            None is left to that.
        max_message_bytes: The largest incoming message, in bytes of UTF-8.
        max_request_bytes: The largest request, in bytes of UTF-8; published circles refuse more than the default.
        max_in_flight: How many calls may be written and unanswered.
        max_queued: How many calls may wait for a slot or for the link.
        max_queued_bytes: How large they may be together, in bytes of UTF-8.
        transport: Who opens the WebSocket; the runtime's own by default.

    Raises:
        ConfigError: An option is wrong; the message names it.
        UnsupportedRuntime: This runtime cannot do what an option asks for.
        InvalidKey: The private key is none.
    """

    url: str
    private_key: InitVar[str | bytes | KeyPair | None] = None
    signer: Signer | None = None
    profile: str | Profile = "eip191"
    policy: Policy = "prefer-bound"
    dialect: Dialect = "auto"
    params: ParamsForm = "auto"
    allow_insecure: bool = False
    tls: ssl.SSLContext | None = None
    headers: HeaderSource | None = None
    subprotocols: Sequence[str] = ()
    proxy: str | None = ENVIRONMENT
    compression: bool = False
    open_timeout: float | None = 10.0
    call_timeout: float | None = 30.0
    close_timeout: float | None = 5.0
    drain_timeout: float | None = 30.0
    sign_timeout: float | None = 120.0
    keepalive: KeepAlive | None = field(default_factory=default_keepalive)
    backoff: Backoff | None = field(default_factory=Backoff)
    first_connect: FirstConnect = "once"
    setup: Setup | None = None
    middleware: Sequence[Middleware] = ()
    classifier: Classifier | None = None
    max_message_bytes: int | None = 10 * 1024 * 1024
    max_request_bytes: int | None = 64 * 1024
    max_in_flight: int = 256
    max_queued: int = 65_536
    max_queued_bytes: int = 64 * 1024 * 1024
    transport: Connect = runtime_connect

    def __post_init__(self, private_key: str | bytes | KeyPair | None) -> None:
        if is_relative(self.url):
            self._set(url=host_events.absolute(self.url))
        check_url(self.url)
        self._adopt(private_key)
        choices = {"policy": Policy, "dialect": Dialect, "params": ParamsForm, "first_connect": FirstConnect}
        check_choices(self, **{option: get_args(choice) for option, choice in choices.items()})
        check_kinds(self)
        check_numbers(self)
        check_signer(self)
        check_runtime(self)

    def __repr__(self) -> str:
        return f"ClientConfig({', '.join(f'{field.name}={self._show(field.name)}' for field in fields(self))})"

    @property
    def signature_profile(self) -> Profile:
        """The profile, looked up."""
        from ..auth.profiles import find_profile

        return find_profile(self.profile)

    @property
    def shown_url(self) -> str:
        """The URL as it may appear in a message."""
        return shown(self.url)

    def _show(self, name: str) -> str:
        """Give the value of a field without what may be a secret: a token in the query, a header, a password."""
        value = getattr(self, name)
        if name == "url":
            return repr(self.shown_url)
        if name == "proxy" and value is not None:
            return repr(shown_proxy(value))
        if name == "headers" and callable(value):
            # Arguments that were bound to it may be a secret.
            return f"<function {getattr(value, '__qualname__', type(value).__name__)}>"
        if name == "signer" and not isinstance(value, KeyPairSigner | None):
            # A key that it holds may stand in its `repr`.
            return f"<{type(value).__name__}>"
        return repr(value)

    def _adopt(self, private_key: str | bytes | KeyPair | None) -> None:
        """Take the options in the form in which they are used."""
        from ..auth.profiles import find_profile

        self._set(
            profile=find_profile(self.profile),
            subprotocols=check_subprotocols(self.subprotocols),
            middleware=check_middleware(self.middleware),
        )
        if isinstance(self.headers, Mapping):
            self._set(headers=OpeningHeaders(self.headers))
        elif self.headers is not None:
            check_headers_function(self.headers)
        if private_key is not None:
            if self.signer is not None:
                raise ConfigError("private_key and signer exclude each other: give one of them", option="private_key")
            self._set(signer=private_key if isinstance(private_key, KeyPair) else KeyPair(private_key))
        if isinstance(self.signer, KeyPairSigner):
            # `dataclasses.replace` hands on the signer of another config, which may have had another profile.
            self._set(signer=self.signer.for_profile(self.signature_profile))
        elif isinstance(self.signer, KeyPair):
            self._set(signer=KeyPairSigner(self.signer, self.signature_profile))

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)
