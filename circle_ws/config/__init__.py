"""Every option of a client in one frozen value, checked before anything is dialled."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from ..auth.keypair import KeyPair, KeyPairSigner
from ..auth.profiles import find_profile
from ..auth.types import Dialect, ParamsForm, Policy, Profile, Signer
from ..errors import ConfigError
from ..hooks import Middleware, Setup  # noqa: TC001 - `typing.get_type_hints` must find it
from ..policy import Backoff, Classifier, KeepAlive
from ..text import Hidden
from ..transport import Connect, host_events
from ..transport import connect as runtime_connect
from ..urls import ENVIRONMENT, check_url, is_relative, shown, shown_proxy
from . import checks
from .headers import HeaderSource, OpeningHeaders, SubprotocolSource, UrlSource, check_subprotocols

if TYPE_CHECKING:
    import ssl

__all__ = ["DEFAULT", "ClientConfig", "ClientOptions", "Default", "ValueOptions", "config_of", "default_keepalive"]

FirstConnect = Literal["once", "retry"]

_CHOICES = {"policy": Policy, "dialect": Dialect, "params": ParamsForm, "first_connect": FirstConnect}
"""The options that have a few possible values."""


class Default(Enum):
    """The type of `DEFAULT`, which stands for "as configured" where None means "no limit"."""

    DEFAULT = "default"


DEFAULT = Default.DEFAULT


def default_keepalive() -> KeepAlive:
    """Return the runtime's keep-alive: every 20 s; in a browser, where each probe is a request, every 25 s."""
    return KeepAlive(interval=25.0 if sys.platform == "emscripten" else 20.0)


class ValueOptions(TypedDict, total=False):
    """The options that are values and mean the same to the async and to the blocking client."""

    private_key: str | bytes | KeyPair | None
    profile: str | Profile
    policy: Policy
    dialect: Dialect
    params: ParamsForm
    allow_insecure: bool
    tls: ssl.SSLContext | None
    subprotocols: SubprotocolSource
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
    classifier: Classifier | None
    max_message_bytes: int | None
    max_request_bytes: int | None
    max_in_flight: int
    max_queued: int
    max_queued_bytes: int
    transport: Connect


class ClientOptions(ValueOptions, total=False):
    """The options that `circle_ws.connect` takes besides the URL: the fields of `ClientConfig`."""

    signer: Signer | None
    headers: HeaderSource | None
    setup: Setup | None
    middleware: Sequence[Middleware]


def config_of(url: UrlSource, options: Hidden[dict[str, Any]]) -> ClientConfig:
    """Return the config of these options, which may hold a key.

    Raises:
        ConfigError: An option is wrong or unknown; the message names it.
    """
    known = [name for name in ClientConfig.__annotations__ if name != "url"]
    unknown = sorted(set(options.value).difference(known))
    if unknown:
        raise ConfigError(
            f"unknown option {', '.join(unknown)}; there are {', '.join(known)}",
            option=unknown[0],
        )
    return ClientConfig(url, **options.value)


class _HiddenKey:
    """A base class that turns a private key into a `KeyPair` before `__init__` gets it.

    Error trackers record the local variables of every frame that an exception passes, and a dataclass's `__init__` has
    all options as variables. So what is wrong is found by a first construction, which is given the key hidden.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __new__(cls, url=None, private_key=None, *more, **options):
            given, others = Hidden(private_key), Hidden((more, options))
            del private_key, more, options
            # A key may have been given as `signer` by mistake: check that before another frame gets it.
            checks.is_signer(Hidden(others.value[1].get("signer", (*others.value[0], None)[0])))
            if given.value is None or isinstance(given.value, KeyPair):
                return object.__new__(cls)
            # Python calls `__init__` with the key itself afterwards; whatever is wrong has been raised by then.
            return cls(url, KeyPair(given.value), *others.value[0], **others.value[1])


@dataclass(frozen=True, slots=True)
class ClientConfig(_HiddenKey):
    """All options of a client. Times are in seconds; None means no limit.

    Attributes:
        url: The circle: `ws://` or `wss://`; or a function, sync or async, that returns its URL and is called at every
            attempt, within `open_timeout`: for a token in the query that expires. Queries are shown nowhere.
        private_key: 64 hex characters, 32 bytes, or a `KeyPair`; it becomes `signer` at once and is not kept.
        signer: Signs the circle's nonces; without a signer the client does not sign in.
        profile: How nonces are signed: a `Profile` or its name.
        policy: `prefer-bound`: the signature names the circle where the circle offers that; a client that has signed
            so once never falls back. `require-bound`: the signature always names the circle. `legacy-only`: never.
        dialect: The form of `authenticate`; `auto` tries them.
        params: Whether the sign-in, `play` and `whoami` send params by name or by position; `auto` finds it out with
            the sign-in. Params of calls are sent as they are given.
        allow_insecure: Sign in over `ws://` to other machines too. An attacker on the path can take over the session.
        tls: An `ssl.SSLContext`, for instance with a CA of your own; None is the system's. Natively only.
        headers: Additional headers of the opening handshake: a mapping, or an async function that returns one and is
            called at every attempt, within `open_timeout`. The values are shown nowhere. Natively only.
        subprotocols: Offered to the circle in `Sec-WebSocket-Protocol`, the best first. The connection fails if the
            circle accepts none of them. Or a function, sync or async, that returns them and is called at every attempt,
            within `open_timeout`; what it returns is shown nowhere.
        proxy: The URL of a proxy: `http`, `https` or, with the extra `socks`, `socks5`, `socks5h`, `socks4`, `socks4a`.
            `environment`: what the environment names, a browser its settings. None: no proxy at all. Never for
            loopback. Natively only.
        compression: Offer permessage-deflate (RFC 7692). `max_message_bytes` limits the inflated size. Natively only; a
            browser decides by itself.
        open_timeout: For one attempt: TCP, TLS, WebSocket handshake and sign-in, without the time of the signer.
        call_timeout: For one call, from `call()` to its result.
        close_timeout: For the closing handshake.
        drain_timeout: How long `close()` waits for calls in flight.
        sign_timeout: How long the signer may take; a person may have to confirm.
        keepalive: How a dead connection is detected; None does not look for one.
        backoff: The delays between attempts to reconnect; None does not reconnect.
        first_connect: `once`: the first `connect()` makes one attempt. `retry`: it keeps trying.
        setup: An async function that runs after every sign-in, before queued calls are written; it is given a
            `SetupSession` with `call` and `notify`.
        middleware: Async functions around every call and every batch, the first one outermost.
        classifier: Decides before `circle_ws.policy.classify` whether and when to reconnect; where it returns None,
            `classify` decides.
        max_message_bytes: Maximum size of an incoming message, in bytes of UTF-8.
        max_request_bytes: Maximum size of a request, in bytes of UTF-8; published circles refuse more than the default.
        max_in_flight: Maximum number of calls in flight: written and unanswered.
        max_queued: Maximum number of calls that wait for a slot or for the connection.
        max_queued_bytes: Maximum size of these calls together, in bytes of UTF-8.
        transport: Opens the WebSocket; by default the runtime's own.

    Raises:
        ConfigError: An option is wrong; the message names it.
        UnsupportedRuntime: This runtime cannot do what an option asks for.
        InvalidKey: It is not a private key.
    """

    url: UrlSource
    private_key: InitVar[str | bytes | KeyPair | None] = None
    signer: Signer | None = None
    profile: str | Profile = "eip191"
    policy: Policy = "prefer-bound"
    dialect: Dialect = "auto"
    params: ParamsForm = "auto"
    allow_insecure: bool = False
    tls: ssl.SSLContext | None = None
    headers: HeaderSource | None = None
    subprotocols: SubprotocolSource = ()
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
        if callable(self.url):
            checks.source("url", self.url)
        else:
            self._set(url=_resolved(self.url))
        self._adopt(private_key)
        self._check_values()
        checks.profile(self.signature_profile, self.policy, None if self.signer is None else self.signer.profiles)
        if not callable(self.url):
            self._check_safe(self.url)
        self._check_transport()

    def __repr__(self) -> str:
        return f"ClientConfig({', '.join(f'{field.name}={self._show(field.name)}' for field in fields(self))})"

    @property
    def signature_profile(self) -> Profile:
        """The profile, never its name."""
        return find_profile(self.profile)

    @property
    def fixed_url(self) -> str | None:
        """The URL; None where a function returns it."""
        return None if callable(self.url) else self.url

    @property
    def shown_url(self) -> str:
        """The URL as it may appear in a message; in its place the function that returns it."""
        return f"({_named(self.url)})" if callable(self.url) else shown(self.url)

    def checked_url(self, url: str) -> str:
        """Return the absolute form of a URL that a function returned, checked as one that is an option.

        Raises:
            ConfigError: It may not be dialled, with these options; the message says why.
        """
        resolved = _resolved(url)
        self._check_safe(resolved)
        if self.tls is not None:
            checks.tls(self.tls, resolved)
        return resolved

    def _show(self, name: str) -> str:
        """Return the value of a field without possible secrets: a token in the query, a header, a password."""
        value = getattr(self, name)
        if name == "url" and isinstance(value, str):
            return repr(shown(value))
        if name == "proxy" and isinstance(value, str):
            return repr(shown_proxy(value))
        if name in ("url", "headers", "subprotocols") and callable(value):
            return f"<{_named(value)}>"
        if name == "signer" and not isinstance(value, KeyPairSigner | None):
            # A user's signer may show its key in its `repr`.
            return f"<{type(value).__name__}>"
        return repr(value)

    def _adopt(self, private_key: str | bytes | KeyPair | None) -> None:
        """Replace options by the form in which they are used."""
        self._set(
            profile=find_profile(self.profile),
            middleware=checks.middleware(self.middleware),
        )
        if isinstance(self.headers, Mapping):
            self._set(headers=OpeningHeaders(self.headers))
        elif self.headers is not None:
            checks.source("headers", self.headers)
        if callable(self.subprotocols):
            checks.source("subprotocols", self.subprotocols)
        else:
            self._set(subprotocols=check_subprotocols(self.subprotocols))
        if private_key is not None:
            if self.signer is not None:
                raise ConfigError("private_key and signer exclude each other: give one of them", option="private_key")
            self._set(signer=private_key if isinstance(private_key, KeyPair) else KeyPair(private_key))
        if isinstance(self.signer, KeyPairSigner):
            # `dataclasses.replace` passes the signer of the old config, which may have had another profile.
            self._set(signer=self.signer.for_profile(self.signature_profile))
        elif isinstance(self.signer, KeyPair):
            self._set(signer=KeyPairSigner(self.signer, self.signature_profile))

    def _check_safe(self, url: str) -> None:
        if self.signer is not None and not self.allow_insecure:
            checks.secure(url)

    def _check_values(self) -> None:
        for option, choice in _CHOICES.items():
            checks.choice(option, getattr(self, option), get_args(choice))
        for option in ("setup", "classifier"):
            checks.optional(option, getattr(self, option), "function", fits=callable(getattr(self, option)))
        for option in ("allow_insecure", "compression"):
            checks.switch(option, getattr(self, option))
        checks.optional("keepalive", self.keepalive, "KeepAlive", fits=isinstance(self.keepalive, KeepAlive))
        checks.optional("backoff", self.backoff, "Backoff", fits=isinstance(self.backoff, Backoff))
        for option in ("open_timeout", "call_timeout", "close_timeout", "sign_timeout"):
            checks.seconds(option, getattr(self, option))
        checks.seconds("drain_timeout", self.drain_timeout, zero=True)
        for option in ("max_message_bytes", "max_request_bytes"):
            if getattr(self, option) is not None:
                checks.count(option, getattr(self, option), 1)
        checks.count("max_in_flight", self.max_in_flight, 1)
        checks.count("max_queued", self.max_queued, 0)
        checks.count("max_queued_bytes", self.max_queued_bytes, 0)

    def _check_transport(self) -> None:
        checks.transport(self.transport)
        used = {
            "keepalive": self.keepalive is not None and self.keepalive.mode == "ping",
            "headers": self.headers is not None,
            "subprotocols": bool(self.subprotocols),
            "compression": self.compression,
            "tls": self.tls is not None,
            "proxy": self.proxy != ENVIRONMENT,
        }
        capabilities = self.transport.capabilities
        checks.supported(capabilities, [option for option, is_used in used.items() if is_used])
        if self.tls is not None:
            checks.tls(self.tls, "" if callable(self.url) else self.url)
        checks.proxy(self.proxy, socks=capabilities.socks)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _resolved(url: str) -> str:
    if is_relative(url):
        url = host_events.absolute(url)
    check_url(url)
    return url


def _named(function: Any) -> str:
    """Return a description of a function; its own `repr` would show bound arguments, which may be secrets."""
    return f"function {getattr(function, '__qualname__', type(function).__name__)}"
