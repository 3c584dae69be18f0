"""The two ways to make a client: the builder and `connect()`. Both fill a `ClientConfig`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, overload

from .auth.keypair import KeyPair
from .client import CircleWsClient
from .config import DEFAULT, ClientConfig, Default, config_of, default_keepalive
from .policy.backoff import Backoff
from .text import Hidden

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import Self, Unpack

    from . import sync
    from .auth.types import Dialect, ParamsForm, Policy, Profile, Signer
    from .config import ClientOptions, FirstConnect
    from .config.headers import HeaderSource, SubprotocolsFunction, UrlFunction, UrlSource
    from .hooks import Middleware, Setup
    from .policy import Classifier
    from .policy.liveness import KeepAliveMode
    from .transport import Connect

__all__ = ["CircleWsClientBuilder", "Connecting", "connect"]


C = TypeVar("C")


class Instrument(Protocol):
    """A function that makes a client and observes it."""

    def __call__(self, config: ClientConfig, make: Callable[[ClientConfig], C]) -> C:
        """Return what `make` returns for a config like this one."""
        ...


class CircleWsClientBuilder:
    """A client to be, configured option by option.

    It is immutable: every `with_*` returns a new builder, so one builder can be shared and build many clients. Options
    that are not set have the defaults of `ClientConfig`.

    Args:
        url: The circle: `ws://` or `wss://`; or a function that returns its URL, as for `with_url`.
    """

    __slots__ = ("_instrument", "_options", "_url")

    def __init__(self, url: UrlSource) -> None:
        self._url = url
        self._options: dict[str, Any] = {}
        self._instrument: Instrument | None = None

    def with_url(self, function: UrlFunction) -> Self:
        """Dial the URL that this function returns, instead of the one that the builder was made with.

        It is for a gateway's token that expires: a page has no headers, so such a token is a part of the query.

        Args:
            function: Sync or async, without arguments; called at every attempt. The sign-in is for the circle at the
                URL that was dialled. Queries are shown nowhere. For `build_sync()` a plain function may block.
        """
        builder = self._with()
        builder._url = function
        return builder

    def with_keypair(self, private_key: str | bytes | KeyPair) -> Self:
        """Sign in with this private key: 64 hex characters, 32 bytes, or a `KeyPair`.

        Raises:
            InvalidKey: It is not a private key; the message does not contain it.
        """
        given = Hidden(private_key)
        del private_key
        keypair = given.value if isinstance(given.value, KeyPair) else KeyPair(given.value)
        return self._with(private_key=keypair, signer=None)

    def with_signer(self, signer: Signer | sync.SyncSigner) -> Self:
        """Sign in by a `Signer` that keeps its key to itself."""
        return self._with(signer=signer, private_key=None)

    def with_auth(
        self,
        *,
        profile: str | Profile | Default = DEFAULT,
        policy: Policy | Default = DEFAULT,
        dialect: Dialect | Default = DEFAULT,
        params: ParamsForm | Default = DEFAULT,
        allow_insecure: bool | Default = DEFAULT,
    ) -> Self:
        """Choose how the client signs in.

        Args:
            profile: The signature profile: a `Profile` or its name.
            policy: Whether the signature names the circle: `prefer-bound`, `require-bound`, `legacy-only`.
            dialect: The form of `authenticate`; `auto` tries them.
            params: Whether the sign-in, `play` and `whoami` send params by name or by position; `auto` finds it out.
            allow_insecure: Sign in over `ws://` to other machines too.
        """
        return self._with(profile=profile, policy=policy, dialect=dialect, params=params, allow_insecure=allow_insecure)

    def with_timeouts(
        self,
        *,
        open: float | None | Default = DEFAULT,
        call: float | None | Default = DEFAULT,
        close: float | None | Default = DEFAULT,
        drain: float | None | Default = DEFAULT,
        sign: float | None | Default = DEFAULT,
    ) -> Self:
        """Set limits of time, in seconds; None means no limit.

        Args:
            open: For one attempt to connect and sign in, without the time of the signer.
            call: For one call.
            close: For the closing handshake.
            drain: How long `close()` waits for calls in flight.
            sign: How long the signer may take.
        """
        return self._with(
            open_timeout=open, call_timeout=call, close_timeout=close, drain_timeout=drain, sign_timeout=sign
        )

    def with_keepalive(
        self,
        *,
        interval: float | Default = DEFAULT,
        timeout: float | Default = DEFAULT,
        mode: KeepAliveMode | Default = DEFAULT,
    ) -> Self:
        """Send heartbeats, and give the connection up if nothing arrives after one.

        Args:
            interval: Time between heartbeats, in seconds.
            timeout: How long to wait for anything to arrive after one, in seconds.
            mode: `ping`: ping frames, natively only. `rpc`: the request `rpc.ping`. `auto`: both, as the runtime can.

        Raises:
            ConfigError: A time is not positive, or the mode is unknown.
        """
        present = self._options.get("keepalive") or default_keepalive()
        return self._with(keepalive=replace(present, **_given(interval=interval, timeout=timeout, mode=mode)))

    def without_keepalive(self) -> Self:
        """Send no heartbeats; a dead connection may go unnoticed."""
        return self._with(keepalive=None)

    def with_reconnect(
        self, *, backoff: Backoff | Default = DEFAULT, first_connect: FirstConnect | Default = DEFAULT
    ) -> Self:
        """Choose the delays of reconnects, and whether the first connect keeps trying.

        Args:
            backoff: The delays.
            first_connect: `once`: the first `connect()` makes one attempt. `retry`: it keeps trying.
        """
        default = Backoff() if self._options.get("backoff", DEFAULT) is None else DEFAULT
        return self._with(backoff=default if backoff is DEFAULT else backoff, first_connect=first_connect)

    def without_reconnect(self) -> Self:
        """Do not reconnect: a lost connection ends in status FAILED."""
        return self._with(backoff=None)

    def with_setup(self, function: Setup | sync.SyncSetup) -> Self:
        """Run an async function after every sign-in, before queued calls are written: to register or to subscribe.

        Args:
            function: Called with a `SetupSession`, which has `call` and `notify`. An error fails the attempt. For
                `build_sync()` it may be a plain function.
        """
        return self._with(setup=function)

    def with_middleware(self, *functions: Middleware | sync.SyncMiddleware) -> Self:
        """Run async functions around every call and every batch: for logging, tracing, retries of one's own.

        Args:
            *functions: `async (request, call_next) -> result`; the first one is the outermost. They replace those of an
                earlier `with_middleware`. For `build_sync()` they may be plain functions.
        """
        return self._with(middleware=functions)

    def with_classifier(self, function: Classifier) -> Self:
        """Decide whether and when to reconnect after a failure.

        Args:
            function: Called with a `Failure`; returns a `Verdict`, or None to let `circle_ws.policy.classify` decide.
        """
        return self._with(classifier=function)

    def with_tls(self, ssl_context: ssl.SSLContext) -> Self:
        """Check the server's certificate by this context, for instance with a CA of your own. Natively only."""
        return self._with(tls=ssl_context)

    def with_headers(self, headers: HeaderSource | sync.SyncHeaders) -> Self:
        """Send these headers with the opening handshake. Natively only.

        Args:
            headers: Names and values, or an async function without arguments that returns them and is called at every
                attempt, for tokens that expire. The values are shown nowhere. A later call replaces all of them. For
                `build_sync()` it may be a plain function.
        """
        return self._with(headers=headers)

    @overload
    def with_subprotocols(self, function: SubprotocolsFunction, /) -> Self: ...
    @overload
    def with_subprotocols(self, *names: str) -> Self: ...
    def with_subprotocols(self, *names: Any) -> Self:
        """Offer these subprotocols, the best first; the connection fails if the circle accepts none of them.

        Args:
            *names: The names; or one function, sync or async, that returns them and is called at every attempt. What it
                returns is shown nowhere. For `build_sync()` a plain function may block.
        """
        return self._with(subprotocols=names[0] if len(names) == 1 and callable(names[0]) else names)

    def with_proxy(self, url: str) -> Self:
        """Use this proxy, except for loopback; the default is the environment's. Natively only.

        Args:
            url: `http://`, `https://`, or, with the extra `socks`, `socks5://`, `socks5h://`, `socks4://`, `socks4a://`;
                with `user:password@` if the proxy needs it. `environment` is the default.
        """
        return self._with(proxy=url)

    def without_proxy(self) -> Self:
        """Use no proxy, whatever the environment says. Natively only."""
        return self._with(proxy=None)

    def with_compression(self) -> Self:
        """Offer to compress messages (permessage-deflate). Natively only; a browser decides by itself."""
        return self._with(compression=True)

    def with_limits(
        self,
        *,
        max_message_bytes: int | None | Default = DEFAULT,
        max_request_bytes: int | None | Default = DEFAULT,
        max_in_flight: int | Default = DEFAULT,
        max_queued: int | Default = DEFAULT,
        max_queued_bytes: int | Default = DEFAULT,
    ) -> Self:
        """Set maximum sizes, in bytes of UTF-8, and maximum numbers.

        Args:
            max_message_bytes: Of an incoming message; None means no limit.
            max_request_bytes: Of a request; None means no limit.
            max_in_flight: Of calls that are written and unanswered.
            max_queued: Of calls that wait for a slot or for the connection.
            max_queued_bytes: Of these calls together.
        """
        return self._with(
            max_message_bytes=max_message_bytes,
            max_request_bytes=max_request_bytes,
            max_in_flight=max_in_flight,
            max_queued=max_queued,
            max_queued_bytes=max_queued_bytes,
        )

    def with_transport(self, connect: Connect) -> Self:
        """Open WebSockets through `connect` instead of the runtime's own."""
        return self._with(transport=connect)

    def build(self) -> CircleWsClient:
        """Check all options and return a client. Nothing is dialled yet.

        Raises:
            ConfigError: An option is wrong; the message names it.
            UnsupportedRuntime: This runtime cannot do what an option asks for.
        """
        return self._made(CircleWsClient)

    def config(self) -> ClientConfig:
        """Check all options and return them.

        Raises:
            ConfigError: An option is wrong; the message names it.
            UnsupportedRuntime: This runtime cannot do what an option asks for.
        """
        return ClientConfig(self._url, **self._options)

    def build_sync(self) -> sync.CircleWsClient:
        """Check all options and return a blocking client, whose functions may be plain ones. Nothing is dialled yet.

        Raises:
            ConfigError: An option is wrong; the message names it.
            UnsupportedRuntime: This runtime cannot do what an option asks for, or it is a page in which Python cannot
                wait.
        """
        # Imported here: most programs need one of the two clients.
        from . import sync

        return self._made(sync.CircleWsClient)

    def _made(self, make: Callable[[ClientConfig], C]) -> C:
        config = self.config()
        return make(config) if self._instrument is None else self._instrument(config, make)

    def _instrumented(self, instrument: Instrument) -> Self:
        """Have `instrument(config, make)` make the clients, of either kind: for `circle_ws.contrib`."""
        builder = self._with()
        builder._instrument = instrument
        return builder

    def _with(self, **options: Any) -> Self:
        builder = type(self)(self._url)
        builder._options = {**self._options, **_given(**options)}
        builder._instrument = self._instrument
        return builder


class Connecting:
    """What `circle_ws.connect` returns: an awaitable and an async context manager, both of a connected client."""

    __slots__ = ("_client",)

    def __init__(self, client: CircleWsClient) -> None:
        self._client = client

    def __await__(self) -> Generator[Any, None, CircleWsClient]:
        return self._client.__aenter__().__await__()

    async def __aenter__(self) -> CircleWsClient:
        return await self._client.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)


def connect(url: UrlSource, **options: Unpack[ClientOptions]) -> Connecting:
    """Connect to a circle.

    ```python
    async with circle_ws.connect("ws://localhost:8765", private_key=key) as client:
        print(await client.play("40 + 2"))
    ```

    Args:
        url: The circle: `ws://` or `wss://`; or a function, sync or async, that returns its URL at every attempt.
        **options: The fields of `ClientConfig`.

    Returns:
        Await it for a connected client that the program closes itself, or use it with `async with`.

    Raises:
        ConfigError: An option is wrong; the message names it.
        UnsupportedRuntime: This runtime cannot do what an option asks for.
        InvalidKey: It is not a private key.
    """
    given = Hidden(cast("dict[str, Any]", options))
    del options
    return Connecting(CircleWsClient(config_of(url, given)))


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not DEFAULT}
