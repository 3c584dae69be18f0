"""Every option of a client, in one frozen value. What is wrong is said here, before anything is dialled."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence  # noqa: TC003 - `typing.get_type_hints` must find it
from dataclasses import InitVar, dataclass, field, fields
from enum import Enum
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

from .auth.keypair import KeyPair, KeyPairSigner
from .auth.profiles import BOUND, Profile, find_profile
from .auth.types import Dialect, Policy, Signer
from .backoff import Backoff
from .errors import ConfigError, UnsupportedRuntime
from .liveness import KeepAlive
from .policy import Classifier  # noqa: TC001 - `typing.get_type_hints` must find it
from .request import Middleware  # noqa: TC001 - `typing.get_type_hints` must find it
from .setup import Setup  # noqa: TC001 - likewise
from .transport import Connect
from .transport import connect as runtime_connect
from .url import check_url, is_loopback, is_plain, shown

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
    allow_insecure: bool
    tls: ssl.SSLContext | None
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


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Hold what a client is made from. Times are in seconds; None means no limit.

    Attributes:
        url: The circle: `ws://` or `wss://`.
        private_key: 64 hex characters, 32 bytes, or a `KeyPair`; it becomes `signer` at once and is not kept.
        signer: Who signs; None does not sign in.
        profile: How nonces are signed: a `Profile` or its name.
        policy: `prefer-bound`: where the circle offers it, the signature names the circle, and a client that has signed
            so once never falls back. `require-bound`: only so. `legacy-only`: never.
        dialect: Which form of `authenticate` is spoken; `auto` finds it out.
        allow_insecure: Sign in over `ws://` to other machines too. Anybody on the path can take the session over.
        tls: An `ssl.SSLContext`, for instance with a CA of your own; None is the system's. Natively only.
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
    allow_insecure: bool = False
    tls: ssl.SSLContext | None = None
    open_timeout: float | None = 10.0
    call_timeout: float | None = 30.0
    close_timeout: float | None = 5.0
    drain_timeout: float | None = 30.0
    sign_timeout: float | None = 120.0
    keepalive: KeepAlive | None = field(default_factory=default_keepalive)
    backoff: Backoff | None = Backoff()
    first_connect: FirstConnect = "once"
    setup: Setup | None = None
    middleware: Sequence[Middleware] = ()
    classifier: Classifier | None = None
    max_message_bytes: int | None = 10 * 1024 * 1024
    max_request_bytes: int | None = 64 * 1024
    max_in_flight: int = 256
    max_queued: int = 256
    max_queued_bytes: int = 1024 * 1024
    transport: Connect = runtime_connect

    def __post_init__(self, private_key: str | bytes | KeyPair | None) -> None:
        check_url(self.url)
        object.__setattr__(self, "profile", find_profile(self.profile))
        if private_key is not None:
            self._adopt(private_key)
        self._check_choices()
        self._check_numbers()
        self._check_signer()
        self._check_runtime()

    def __repr__(self) -> str:
        # The query of the URL may hold a token.
        options = (f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.name != "url")
        return f"ClientConfig(url={self.shown_url!r}, {', '.join(options)})"

    @property
    def signature_profile(self) -> Profile:
        """The profile, looked up."""
        return find_profile(self.profile)

    @property
    def shown_url(self) -> str:
        """The URL as it may appear in a message."""
        return shown(self.url)

    def _adopt(self, private_key: str | bytes | KeyPair) -> None:
        if self.signer is not None:
            raise ConfigError("private_key and signer exclude each other: give one of them", option="private_key")
        keypair = private_key if isinstance(private_key, KeyPair) else KeyPair(private_key)
        object.__setattr__(self, "signer", KeyPairSigner(keypair, self.signature_profile))

    def _check_choices(self) -> None:
        for option, allowed in (
            ("policy", get_args(Policy)),
            ("dialect", get_args(Dialect)),
            ("first_connect", get_args(FirstConnect)),
        ):
            value = getattr(self, option)
            if value not in allowed:
                raise ConfigError(f"{option} must be one of {', '.join(allowed)}, not {value!r}", option=option)
        if self.policy == "legacy-only" and self.signature_profile.bound:
            raise ConfigError(
                f"profile {self.signature_profile.name} names the circle, which policy legacy-only never does",
                option="policy",
            )
        for option in ("setup", "classifier"):
            value = getattr(self, option)
            if value is not None and not callable(value):
                raise ConfigError(f"{option} must be a function or None, not {value!r}", option=option)
        if not isinstance(self.middleware, list | tuple) or not all(callable(one) for one in self.middleware):
            raise ConfigError(
                f"middleware must be a list of async functions (request, call_next), not {self.middleware!r}",
                option="middleware",
            )
        object.__setattr__(self, "middleware", tuple(self.middleware))
        if type(self.allow_insecure) is not bool:
            raise ConfigError(
                f"allow_insecure must be True or False, not {self.allow_insecure!r}", option="allow_insecure"
            )
        for option, kind in (("keepalive", KeepAlive), ("backoff", Backoff)):
            value = getattr(self, option)
            if value is not None and not isinstance(value, kind):
                raise ConfigError(f"{option} must be a {kind.__name__} or None, not {value!r}", option=option)

    def _check_numbers(self) -> None:
        for option in ("open_timeout", "call_timeout", "close_timeout", "drain_timeout", "sign_timeout"):
            value = getattr(self, option)
            if value is not None and (not _is_number(value) or not 0 < value < math.inf):
                if option == "drain_timeout" and value == 0:
                    continue
                raise ConfigError(
                    f"{option} must be a positive number of seconds, or None for no limit, not {value!r}",
                    option=option,
                )
        for option in (
            "max_message_bytes",
            "max_request_bytes",
            "max_in_flight",
            "max_queued",
            "max_queued_bytes",
        ):
            value = getattr(self, option)
            least = 0 if option in ("max_queued", "max_queued_bytes") else 1
            if value is None and option in ("max_message_bytes", "max_request_bytes"):
                continue
            if type(value) is not int or value < least:
                raise ConfigError(f"{option} must be a whole number from {least}, not {value!r}", option=option)

    def _check_signer(self) -> None:
        if self.signer is None:
            return
        if isinstance(self.signer, KeyPair):
            object.__setattr__(self, "signer", KeyPairSigner(self.signer, self.signature_profile))
        if not all(hasattr(self.signer, name) for name in ("profiles", "public_key", "sign")):
            raise ConfigError(
                f"signer must have profiles, public_key() and sign(), as circle_ws.Signer says, which "
                f"{type(self.signer).__name__} has not",
                option="signer",
            )
        if self.signature_profile.name not in self.signer.profiles:
            raise ConfigError(
                f"the signer cannot sign profile {self.signature_profile.name!r}, "
                f"only {', '.join(sorted(self.signer.profiles))}",
                option="profile",
            )
        if self.policy == "require-bound" and not (
            self.signature_profile.bound or self.signer.profiles.intersection(BOUND)
        ):
            raise ConfigError(
                f"policy require-bound needs a signer that can sign one of {', '.join(BOUND)}, "
                f"not only {', '.join(sorted(self.signer.profiles))}",
                option="policy",
            )
        if is_plain(self.url) and not is_loopback(self.url) and not self.allow_insecure:
            raise ConfigError(
                "signing in over ws:// to another machine lets anybody on the path take the session over; "
                "use wss://, or allow_insecure=True where you know the network",
                option="allow_insecure",
            )

    def _check_tls(self) -> None:
        if self.tls is None:
            return
        if not self.transport.capabilities.tls:
            raise UnsupportedRuntime(
                "tls is not for this runtime, which decides by itself whom it trusts; add your CA to the browser's or "
                "the system's",
                option="tls",
            )
        if not hasattr(self.tls, "wrap_bio"):
            raise ConfigError(f"tls must be an ssl.SSLContext or None, not {self.tls!r}", option="tls")
        if is_plain(self.url):
            raise ConfigError("tls is given, but the url begins with ws://; use wss://", option="tls")

    def _check_runtime(self) -> None:
        if not callable(self.transport) or not hasattr(self.transport, "capabilities"):
            raise ConfigError(
                f"transport must be called to connect and have capabilities, as circle_ws.transport.Connect says, not "
                f"{self.transport!r}",
                option="transport",
            )
        self._check_tls()
        if self.keepalive is not None and self.keepalive.mode == "ping" and not self.transport.capabilities.ping:
            raise UnsupportedRuntime(
                "this runtime sends no ping frames; use keep-alive mode 'auto' or 'rpc'", option="keepalive"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
