"""The fluent way and the keywords lead to the same client."""

import dataclasses
import inspect
import sys
from typing import Any

import pytest

import circle_ws
from circle_ws import (
    Backoff,
    CallNext,
    Challenge,
    CircleWsClient,
    CircleWsClientBuilder,
    ClientConfig,
    ConfigError,
    Connecting,
    ConnectionStatus,
    Failure,
    InvalidKey,
    KeepAlive,
    KeyPair,
    Request,
    SetupSession,
    UnsupportedRuntime,
    Verdict,
)
from circle_ws.config import ClientOptions, default_keepalive
from circle_ws.transport import Capabilities
from circle_ws.transport.memory import MemoryPeer, MemoryServer

_URL = "wss://circle.example/02ab"
_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_PAIR = KeyPair(_KEY)


async def _set_up(session: SetupSession) -> None:
    """Do nothing."""


async def _around(request: Request, call_next: CallNext) -> Any:
    return await call_next(request)


def _give_up(failure: Failure) -> Verdict:
    return Verdict(retry=False)


class _Wallet:
    """A signer that holds its key elsewhere."""

    profiles = frozenset({"eip191"})

    async def public_key(self) -> str:
        raise NotImplementedError

    async def sign(self, challenge: Challenge) -> str:
        raise NotImplementedError


async def _headers() -> dict[str, str]:
    return {"Authorization": "Bearer of the hour"}


def _names() -> list[str]:
    return ["circle.v1"]


async def _silent(peer: MemoryPeer) -> None:
    """A server that serves no client."""


class _Context:
    """What stands for an `ssl.SSLContext`, which only the native transport uses."""

    def wrap_bio(self) -> None:
        raise NotImplementedError


_WALLET = _Wallet()
_SERVER = MemoryServer(
    _silent,
    capabilities=Capabilities(
        ping=True, headers=True, proxy=True, tls=True, http_status=True, subprotocols=True, compression=True
    ),
)
_CONTEXT: Any = _Context()
_IN_BROWSER = sys.platform == "emscripten"
_ONLY_NATIVE = {"with_tls", "with_headers", "with_proxy", "without_proxy", "with_compression"}

_ALL_STEPS: list[tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]] = [
    ("with_keypair", (_PAIR,), {}, {"private_key": _PAIR}),
    ("with_signer", (_WALLET,), {}, {"signer": _WALLET}),
    (
        "with_auth",
        (),
        {
            "profile": "sha256-compact",
            "policy": "require-bound",
            "dialect": "hero-0.2",
            "params": "positional",
            "allow_insecure": True,
        },
        {
            "profile": "sha256-compact",
            "policy": "require-bound",
            "dialect": "hero-0.2",
            "params": "positional",
            "allow_insecure": True,
        },
    ),
    (
        "with_timeouts",
        (),
        {"open": 1, "call": 2, "close": 3, "drain": 4, "sign": 5},
        {"open_timeout": 1, "call_timeout": 2, "close_timeout": 3, "drain_timeout": 4, "sign_timeout": 5},
    ),
    (
        "with_timeouts",
        (),
        {"open": None, "call": None, "close": None, "drain": None, "sign": None},
        {
            "open_timeout": None,
            "call_timeout": None,
            "close_timeout": None,
            "drain_timeout": None,
            "sign_timeout": None,
        },
    ),
    (
        "with_keepalive",
        (),
        {"interval": 1, "timeout": 2, "mode": "rpc"},
        {"keepalive": KeepAlive(interval=1, timeout=2, mode="rpc")},
    ),
    (
        "with_keepalive",
        (),
        {"timeout": 2},
        {"keepalive": dataclasses.replace(default_keepalive(), timeout=2)},
    ),
    ("without_keepalive", (), {}, {"keepalive": None}),
    (
        "with_reconnect",
        (),
        {"backoff": Backoff(attempts=3), "first_connect": "retry"},
        {"backoff": Backoff(attempts=3), "first_connect": "retry"},
    ),
    ("without_reconnect", (), {}, {"backoff": None}),
    ("with_setup", (_set_up,), {}, {"setup": _set_up}),
    ("with_middleware", (_around, _around), {}, {"middleware": (_around, _around)}),
    ("with_classifier", (_give_up,), {}, {"classifier": _give_up}),
    (
        "with_limits",
        (),
        {
            "max_message_bytes": 1,
            "max_request_bytes": 2,
            "max_in_flight": 3,
            "max_queued": 4,
            "max_queued_bytes": 5,
        },
        {
            "max_message_bytes": 1,
            "max_request_bytes": 2,
            "max_in_flight": 3,
            "max_queued": 4,
            "max_queued_bytes": 5,
        },
    ),
    (
        "with_limits",
        (),
        {"max_message_bytes": None, "max_request_bytes": None},
        {"max_message_bytes": None, "max_request_bytes": None},
    ),
    ("with_tls", (_CONTEXT,), {}, {"tls": _CONTEXT}),
    ("with_headers", ({"X-Tenant": "a"},), {}, {"headers": {"X-Tenant": "a"}}),
    ("with_headers", (_headers,), {}, {"headers": _headers}),
    ("with_subprotocols", ("circle.v2", "circle.v1"), {}, {"subprotocols": ["circle.v2", "circle.v1"]}),
    ("with_proxy", ("http://proxy.example:3128",), {}, {"proxy": "http://proxy.example:3128"}),
    ("without_proxy", (), {}, {"proxy": None}),
    ("with_compression", (), {}, {"compression": True}),
    ("with_subprotocols", (_names,), {}, {"subprotocols": _names}),
    ("with_transport", (_SERVER,), {}, {"transport": _SERVER}),
]
"""A method of the builder, its arguments, and the same as keywords."""

_STEPS = [step for step in _ALL_STEPS if not (_IN_BROWSER and step[0] in _ONLY_NATIVE)]


def _config(client: CircleWsClient) -> ClientConfig:
    return client._supervisor.config


def _values(config: ClientConfig) -> dict[str, Any]:
    """Return the comparable part of a config: the key's signer is a new object each time."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    values["signer"] = getattr(config.signer, "own_public_key", config.signer)
    return values


def _apply(builder: CircleWsClientBuilder, step: tuple[str, tuple[Any, ...], dict[str, Any], Any]) -> Any:
    name, positional, named, _ = step
    return getattr(builder, name)(*positional, **named)


def test_every_step_and_every_option_is_tried() -> None:
    """No method of the builder and no option is left out below."""
    methods = {name for name in vars(CircleWsClientBuilder) if name.startswith(("with_", "without_"))}
    assert {name for name, _, _, _ in _ALL_STEPS} == methods - {"with_url"}
    assert {option for _, _, _, options in _ALL_STEPS for option in options} == set(ClientOptions.__annotations__)


@pytest.mark.skipif(not _IN_BROWSER, reason="natively every step can be honoured")
@pytest.mark.parametrize("step", [step for step in _ALL_STEPS if step[0] in _ONLY_NATIVE], ids=lambda step: step[0])
def test_what_a_browser_cannot_honour(step: tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]) -> None:
    """An option that the runtime's transport has no means for is an error by `build()`, never ignored."""
    with pytest.raises(UnsupportedRuntime) as caught:
        _apply(CircleWsClientBuilder(_URL), step).build()
    assert caught.value.option == next(iter(step[3]))


def test_the_url_may_be_replaced_by_a_function() -> None:
    """The keyword is the first argument; every other option stays, and so does the builder."""
    prepared = CircleWsClientBuilder(_URL).with_timeouts(call=7)
    built = _config(prepared.with_url(lambda: _URL).build())
    assert (built.fixed_url, built.call_timeout) == (None, 7)
    assert _config(prepared.build()).url == _URL
    assert _config(CircleWsClientBuilder(lambda: _URL).build()).fixed_url is None


def test_every_argument_is_tried() -> None:
    """Each keyword of each method is given at least once below."""
    for method in {name for name, _, _, _ in _STEPS}:
        parameters = inspect.signature(getattr(CircleWsClientBuilder, method)).parameters.values()
        named = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
        assert {name for step in _STEPS if step[0] == method for name in step[2]} == named


@pytest.mark.parametrize("step", _STEPS, ids=lambda step: step[0])
def test_each_step_fills_its_fields(step: tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]) -> None:
    """A method of the builder and its keywords make the same config, which differs from the default."""
    builder = _apply(CircleWsClientBuilder(_URL), step)
    built = _values(_config(builder.build()))
    assert built == _values(ClientConfig(_URL, **step[3])) != _values(ClientConfig(_URL))
    assert built == _values(builder.config())


def test_all_steps_together() -> None:
    """Steps do not undo each other: a chain of all of them has what each asked for."""
    builder, options = CircleWsClientBuilder(_URL), dict[str, Any]()
    for step in _STEPS:
        if step[0] not in ("with_signer", "without_keepalive", "without_reconnect") and None not in step[3].values():
            builder = _apply(builder, step)
            options |= step[3]
    # The later of two steps for the keep-alive changes only what it names.
    options["keepalive"] = KeepAlive(interval=1, timeout=2, mode="rpc")
    assert _values(_config(builder.build())) == _values(ClientConfig(_URL, **options))


def test_nothing_said_is_the_default() -> None:
    """A builder that is told nothing makes the default config."""
    assert _values(_config(CircleWsClientBuilder(_URL).build())) == _values(ClientConfig(_URL))


_WITH_ARGUMENTS = {name for name, _, _, _ in _STEPS if name.startswith("with_")} - {"with_compression"}


@pytest.mark.parametrize("method", sorted(_WITH_ARGUMENTS))
def test_a_step_without_arguments_changes_nothing(method: str) -> None:
    """An argument that is left out keeps what was said before."""
    arguments = inspect.signature(getattr(CircleWsClientBuilder, method)).parameters.values()
    if any(argument.kind is argument.POSITIONAL_OR_KEYWORD and argument.name != "self" for argument in arguments):
        with pytest.raises(TypeError):
            getattr(CircleWsClientBuilder(_URL), method)()
        return
    prepared = (
        CircleWsClientBuilder(_URL).with_timeouts(call=7).with_keepalive(interval=3).with_auth(dialect="hero-0.2")
    )
    assert _values(_config(getattr(prepared, method)().build())) == _values(_config(prepared.build()))


@pytest.mark.parametrize("step", _STEPS, ids=lambda step: step[0])
def test_it_is_immutable(step: tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]) -> None:
    """A step gives a new builder and leaves the old one as it was."""
    builder = CircleWsClientBuilder(_URL)
    assert _apply(builder, step) is not builder
    assert _values(_config(builder.build())) == _values(ClientConfig(_URL))


def test_a_prepared_builder_can_be_shared() -> None:
    """Two branches of one builder do not see each other, and one builder makes many clients."""
    prepared = CircleWsClientBuilder(_URL).with_timeouts(call=7)
    slow, fast = prepared.with_timeouts(open=60), prepared.with_timeouts(open=1).with_limits(max_queued=3)
    assert [_config(builder.build()).open_timeout for builder in (prepared, slow, fast)] == [10, 60, 1]
    assert [_config(builder.build()).max_queued for builder in (prepared, slow, fast)] == [65_536, 65_536, 3]
    assert [_config(builder.build()).call_timeout for builder in (prepared, slow, fast)] == [7, 7, 7]
    assert prepared.build() is not prepared.build()


def test_the_last_word_counts() -> None:
    """The later of two steps for the same option holds; key and signer replace each other."""
    builder = CircleWsClientBuilder(_URL).with_timeouts(call=1).with_timeouts(call=2)
    assert _config(builder.build()).call_timeout == 2
    keyed = CircleWsClientBuilder(_URL).with_signer(_WALLET).with_keypair(_KEY)
    assert _values(_config(keyed.build()))["signer"] == _PAIR.public_key
    assert _config(keyed.with_signer(_WALLET).build()).signer is _WALLET


def test_the_environments_proxy_can_come_back() -> None:
    """What was named or turned off gives way to the default again."""
    builder = CircleWsClientBuilder(_URL).with_transport(_SERVER).with_proxy("http://proxy.example:3128")
    assert _config(builder.without_proxy().build()).proxy is None
    assert _config(builder.without_proxy().with_proxy("environment").build()).proxy == "environment"


def test_keepalive_and_reconnect_can_come_back() -> None:
    """What was turned off can be turned on again, with the defaults."""
    builder = CircleWsClientBuilder(_URL).without_keepalive().without_reconnect()
    config = _config(builder.with_keepalive(interval=7).with_reconnect().build())
    assert config.keepalive == dataclasses.replace(default_keepalive(), interval=7)
    assert config.backoff == Backoff()


@pytest.mark.parametrize("key", [_KEY, bytes.fromhex(_KEY), _PAIR], ids=["text", "bytes", "KeyPair"])
def test_each_form_of_the_key(key: str | bytes | KeyPair) -> None:
    """A key may be hex, bytes or a `KeyPair`; the client knows its public key before it is connected."""
    client = CircleWsClientBuilder(_URL).with_keypair(key).build()
    assert client.public_key == _PAIR.public_key


def test_a_bad_key_is_refused_at_once() -> None:
    """`with_keypair` checks the key, and does not repeat it."""
    with pytest.raises(InvalidKey) as caught:
        CircleWsClientBuilder(_URL).with_keypair(_KEY[:-1])
    assert _KEY[:-1] not in str(caught.value)


@pytest.mark.parametrize(
    ("builder", "option"),
    [
        (CircleWsClientBuilder("https://circle.example/"), "url"),
        (CircleWsClientBuilder(_URL).with_timeouts(call=-1), "call_timeout"),
        (CircleWsClientBuilder(_URL).with_limits(max_in_flight=0), "max_in_flight"),
        (CircleWsClientBuilder(_URL).with_auth(profile="eip192"), "profile"),
        (CircleWsClientBuilder("ws://circle.example/").with_keypair(_KEY), "allow_insecure"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_build_checks_everything(builder: CircleWsClientBuilder, option: str) -> None:
    """A wrong option is told by `build()`, by name."""
    with pytest.raises(ConfigError, match=option) as caught:
        builder.build()
    assert caught.value.option == option


def test_building_starts_nothing() -> None:
    """A client that was built stands in IDLE, and needs no event loop."""
    client = CircleWsClientBuilder(_URL).build()
    assert client.status is ConnectionStatus.IDLE
    assert not client.is_connected()


@pytest.mark.parametrize("step", _STEPS, ids=lambda step: step[0])
def test_connect_takes_the_same_keywords(step: tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]) -> None:
    """`circle_ws.connect` makes the client that the builder makes."""
    connecting = circle_ws.connect(_URL, **step[3])
    assert isinstance(connecting, Connecting)
    built = _apply(CircleWsClientBuilder(_URL), step).build()
    assert _values(_config(connecting._client)) == _values(_config(built))


@pytest.mark.parametrize("option", ["timeout", "call_timeut", "retries", "key"])
def test_connect_refuses_what_it_does_not_know(option: str) -> None:
    """A misspelt keyword is an error that names it and lists the ones there are, never ignored."""
    with pytest.raises(ConfigError, match=f"unknown option {option}; there are private_key, signer") as caught:
        circle_ws.connect(_URL, **{option: 1})  # type: ignore[arg-type]
    assert caught.value.option == option
