"""Every option: its default, its bad values, and what of it may be shown."""

import copy
import dataclasses
import functools
import inspect
import math
import pickle
import sys
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest

import circle_ws.transport
from circle_ws import (
    Backoff,
    Challenge,
    CircleWsClient,
    ClientConfig,
    ConfigError,
    InvalidKey,
    KeepAlive,
    KeyPair,
    Profile,
    UnsupportedRuntime,
)
from circle_ws.auth import PROFILES, SignatureEncoding
from circle_ws.config import ClientOptions, default_keepalive
from circle_ws.transport import Capabilities
from circle_ws.transport.memory import MemoryPeer, MemoryServer

_URL = "wss://circle.example/"
_KEY = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
_IN_BROWSER = sys.platform == "emscripten"

_DEFAULTS: dict[str, Any] = {
    "signer": None,
    "profile": PROFILES["eip191"],
    "policy": "prefer-bound",
    "dialect": "auto",
    "params": "auto",
    "allow_insecure": False,
    "tls": None,
    "headers": None,
    "subprotocols": (),
    "proxy": "environment",
    "compression": False,
    "open_timeout": 10,
    "call_timeout": 30,
    "close_timeout": 5,
    "drain_timeout": 30,
    "sign_timeout": 120,
    "keepalive": KeepAlive(interval=25 if _IN_BROWSER else 20, timeout=20, mode="auto"),
    "backoff": Backoff(first=2, base=1, maximum=30, floor=0.1, reset_after=10, attempts=None),
    "first_connect": "once",
    "setup": None,
    "middleware": (),
    "classifier": None,
    "max_message_bytes": 10 * 1024 * 1024,
    "max_request_bytes": 64 * 1024,
    "max_in_flight": 256,
    "max_queued": 65_536,
    "max_queued_bytes": 64 * 1024 * 1024,
    "transport": circle_ws.transport.connect,
}
"""As the documentation has them."""

_TIMES = ("open_timeout", "call_timeout", "close_timeout", "drain_timeout", "sign_timeout")
_COUNTS = ("max_in_flight", "max_queued", "max_queued_bytes")
_SIZES = ("max_message_bytes", "max_request_bytes")


async def _headers() -> dict[str, str]:
    return {}


async def _headers_of(tenant: str) -> dict[str, str]:
    return {"X-Tenant": tenant}


class _Context:
    """What stands for an `ssl.SSLContext`, which only the native transport uses."""

    def wrap_bio(self) -> None:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class _Empty:
    """Something that is no option at all."""


_BAD: list[tuple[str, Any]] = [
    *((name, value) for name in _TIMES for value in (-1, -0.5, math.nan, math.inf, "10", True, ())),
    *((name, 0) for name in _TIMES if name != "drain_timeout"),
    *((name, value) for name in (*_COUNTS, *_SIZES) for value in (-1, 1.0, math.inf, "1", True)),
    *((name, None) for name in _COUNTS),
    *((name, 0) for name in ("max_in_flight", *_SIZES)),
    *(("profile", value) for value in ("", "EIP191", "eip192", None, 7, b"eip191")),
    *(("dialect", value) for value in ("", "hero", "AUTO", None, 0, ["auto"])),
    *(("params", value) for value in ("", "name", "by position", "AUTO", None, 0, ["auto"])),
    *(("policy", value) for value in ("", "bound", "PREFER-BOUND", "never", None, 1, ["prefer-bound"])),
    *(("tls", value) for value in (True, "ca.pem", 1, b"", _Empty())),
    *(("headers", value) for value in (True, 1, "X-Tenant: a", [("X-Tenant", "a")], b"", _Empty(), _headers_of)),
    *(
        ("headers", {name: "a"})
        for name in ("", " ", "X Tenant", "X-Tenant:", "é", "X\r\nY", b"X-Tenant", None)
        + ("Host", "HOST", "upgrade", "Connection", "Content-Length", "Transfer-Encoding")
        + ("Sec-WebSocket-Key", "sec-websocket-extensions", "Sec-WebSocket-Protocol", "Proxy-Authorization")
    ),
    *(("headers", {"X-Tenant": value}) for value in ("a\r\nX-Admin: 1", "a\n", "\0", "\x7f", "é", b"a", 1, None)),
    ("headers", {"X-Tenant": "a", "x-tenant": "a"}),
    *(
        ("subprotocols", value)
        for value in ("circle", b"circle", None, 1, {"circle"}, [""], [None], [b"circle"], _headers_of)
    ),
    *(("subprotocols", [name]) for name in ("a b", "a,b", "a/b", "a=b", "{a}", "é", "a\r\n")),
    *(("subprotocols", names) for names in (["a", "b", "a"], ["a", "A"])),
    *(("proxy", value) for value in ("", "ENVIRONMENT", "none", True, False, 1, b"http://proxy.example:3128")),
    *(("proxy", value) for value in ("proxy.example:3128", "ftp://proxy.example:3128", "http://", "http://:3128")),
    *(("proxy", f"http://proxy.example{rest}") for rest in (":0", ":70000", ":x", "/path", "?query", "#part", "\n")),
    *(("proxy", f"http://{user}@proxy.example") for user in ("name", "name:", ":word", "na me:word", "n%ff:word")),
    *(("proxy", f"socks5h://{rest}") for rest in ("proxy.example", "n%c3%a9:word@proxy.example:1080")),
    ("proxy", f"socks5://{'n' * 256}:word@proxy.example:1080"),
    ("proxy", "http://name:wo%0drd@proxy.example"),
    *(("compression", value) for value in (None, 1, 0, "deflate")),
    *(("first_connect", value) for value in ("", "twice", "RETRY", None, True)),
    *(("middleware", value) for value in (None, 1, "function", [1], [None], _Empty())),
    *((name, value) for name in ("setup", "classifier") for value in (True, "function", 1, _Empty())),
    *(("allow_insecure", value) for value in ("no", "false", 1, 0, None)),
    *(("keepalive", value) for value in (20, 0, False, "auto", {"interval": 20}, Backoff())),
    *(("backoff", value) for value in (1.5, 0, False, "none", {"first": 2}, KeepAlive(20))),
    *(("signer", value) for value in (7, _Empty(), _KEY, bytes.fromhex(_KEY))),
    *(("transport", value) for value in (None, "websockets", _Empty(), len)),
    *(("url", value) for value in ("", "https://circle.example/", None, b"wss://circle.example/")),
]


class _Wallet:
    """A signer that holds its key elsewhere."""

    def __init__(self, *profiles: str) -> None:
        self.profiles = frozenset(profiles)

    async def public_key(self) -> str:
        raise NotImplementedError

    async def sign(self, challenge: Challenge) -> str:
        raise NotImplementedError


async def _silent(peer: MemoryPeer) -> None:
    """A server that serves no client."""


def _values(config: ClientConfig) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.name != "url"}


def _config(**options: Any) -> ClientConfig:
    return ClientConfig(**{"url": _URL, **options})


def test_the_defaults_are_the_documented_ones() -> None:
    """A client with nothing but a URL has the documented values, and no option has an undocumented one."""
    config = _config()
    assert config.url == _URL
    assert _values(config) == _DEFAULTS


def test_the_keywords_are_the_fields() -> None:
    """`circle_ws.connect` takes exactly the fields of the config but the URL, with the same types."""
    # `ssl` is not loaded for the sake of an annotation, and Pyodide comes without it.
    named = {"ssl": SimpleNamespace(SSLContext=_Context)}
    fields = get_type_hints(ClientConfig, localns=named)
    fields["private_key"] = fields["private_key"].type
    names = [name for name in inspect.signature(ClientConfig).parameters if name != "url"]
    assert sorted(ClientOptions.__annotations__) == sorted(names)
    assert get_type_hints(ClientOptions, localns=named) == {name: fields[name] for name in names}


def test_each_option_has_bad_values() -> None:
    """No option is left out of the tests of bad values, but for the key, whose errors are `InvalidKey`."""
    assert {option for option, _ in _BAD} == {"url", *ClientOptions.__annotations__} - {"private_key"}


@pytest.mark.parametrize(("option", "value"), _BAD, ids=lambda value: repr(value).partition(" at 0x")[0][:30])
def test_bad_values_name_their_option(option: str, value: Any) -> None:
    """A bad value is refused at once; the error names the option, in words and as an attribute."""
    with pytest.raises(ConfigError) as caught:
        _config(**{option: value})
    assert caught.value.option == option
    assert option in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((name, value) for name in _TIMES for value in (None, 0.001, 1, 86400)),
        ("drain_timeout", 0),
        *((name, value) for name in _SIZES for value in (None, 1, 2**40)),
        *((name, 1) for name in _COUNTS),
        ("max_queued", 0),
        ("max_queued_bytes", 0),
        ("keepalive", None),
        ("keepalive", KeepAlive(1, mode="rpc")),
        ("backoff", None),
        ("backoff", Backoff(attempts=3)),
        ("policy", "prefer-bound"),
        ("policy", "require-bound"),
        ("policy", "legacy-only"),
        ("dialect", "hero-0.2"),
        ("dialect", "circles-1.0"),
        ("dialect", "baobab"),
        ("params", "named"),
        ("params", "positional"),
        ("first_connect", "retry"),
        ("allow_insecure", True),
        ("subprotocols", ("circle.v1", "!#$%&'*+-.^_`|~09")),
        ("profile", PROFILES["sha256-compact"]),
        ("transport", MemoryServer(_silent)),
    ],
)
def test_good_values_are_kept(option: str, value: Any) -> None:
    """A good value stands in its field as it was given, and changes no other."""
    assert _values(_config(**{option: value})) == {**_DEFAULTS, option: value}


def test_a_profile_is_found_by_its_name() -> None:
    """The name of a profile becomes the profile."""
    assert _config(profile="sha256-compact").signature_profile is PROFILES["sha256-compact"]


def test_the_default_keepalive_is_the_runtimes() -> None:
    """In a browser, where each heartbeat is a request, the default interval is longer."""
    assert default_keepalive().interval == (25 if _IN_BROWSER else 20)


def test_it_is_frozen() -> None:
    """A config cannot be altered under a client that uses it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        _config().url = "wss://other.example/"  # type: ignore[misc]


@pytest.mark.parametrize("key", [_KEY, "0x" + _KEY.upper(), bytes.fromhex(_KEY), KeyPair(_KEY)], ids=type)
async def test_a_key_becomes_a_signer(key: str | bytes | KeyPair) -> None:
    """Each form of the key becomes the signer at once; the key itself is not kept."""
    config = _config(private_key=key, profile="sha256-compact")
    assert config.signer is not None
    assert await config.signer.public_key() == KeyPair(_KEY).format_public_key(compressed=True)
    assert not hasattr(config, "private_key") or config.private_key is None


async def test_a_key_pair_may_be_the_signer() -> None:
    """A `KeyPair` given as `signer` signs, too."""
    config = _config(signer=KeyPair(_KEY))
    assert config.signer is not None
    assert await config.signer.public_key() == KeyPair(_KEY).public_key


@pytest.mark.parametrize(
    "key",
    [
        "",
        _KEY[:-1],
        _KEY + "00",
        _KEY[:-1] + "g",
        "0" * 64,
        "f" * 64,
        bytes.fromhex(_KEY)[:-1],
        bytes.fromhex(_KEY) + b"\0",
        bytes(32),
        int(_KEY, 16),
        [_KEY],
    ],
    ids=lambda key: repr(key)[:20],
)
def test_a_bad_key_is_not_repeated(key: Any) -> None:
    """A bad key is an `InvalidKey` whose text, cause and context hold nothing of it."""
    with pytest.raises(InvalidKey) as caught:
        _config(private_key=key)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    for part in (_KEY[:16], _KEY[-16:], repr(bytes.fromhex(_KEY)[:4])[2:-1], str(int(_KEY, 16))[:16], "0" * 32):
        assert part not in str(caught.value)


def test_key_and_signer_exclude_each_other() -> None:
    """Two ways to sign are one too many."""
    with pytest.raises(ConfigError, match="private_key and signer exclude each other") as caught:
        _config(private_key=_KEY, signer=_Wallet("eip191"))
    assert caught.value.option == "private_key"


def test_a_signer_must_know_the_profile() -> None:
    """A wallet that cannot sign the chosen profile is refused, with those that it can sign."""
    with pytest.raises(ConfigError, match="cannot sign profile 'eip191', only other, sha256-compact") as caught:
        _config(signer=_Wallet("sha256-compact", "other"))
    assert caught.value.option == "profile"
    wallet = _Wallet("eip191")
    assert _config(signer=wallet).signer is wallet


def test_a_profile_of_ones_own() -> None:
    """A profile that the library does not know can be signed with a key."""
    profile = Profile("mine", bytes, bytes, SignatureEncoding.COMPACT, compressed=True)
    config = _config(private_key=_KEY, profile=profile)
    assert config.signature_profile is profile
    assert config.signer is not None
    assert "mine" in config.signer.profiles


@pytest.mark.parametrize("signing", [{"private_key": _KEY}, {"signer": _Wallet("eip191")}], ids=["key", "signer"])
@pytest.mark.parametrize(
    "url", ["ws://circle.example/", "WS://circle.example/", "Ws://10.0.0.1:8765", "ws://localhost.example/"]
)
def test_no_key_over_a_plain_connection(url: str, signing: dict[str, Any]) -> None:
    """Signing in over ws:// to another machine is refused, however ws is written, unless it is allowed in words."""
    with pytest.raises(ConfigError, match="use wss://, or allow_insecure=True") as caught:
        _config(url=url, **signing)
    assert caught.value.option == "allow_insecure"
    assert _config(url=url, allow_insecure=True, **signing).signer is not None
    assert _config(url=url).signer is None


@pytest.mark.parametrize(
    "url", ["wss://circle.example/", "WSS://circle.example/", "ws://localhost/", "ws://127.0.0.1:1/", "ws://[::1]/"]
)
def test_a_key_on_loopback_or_over_tls(url: str) -> None:
    """Over TLS, and on this machine, a key needs no permission."""
    assert _config(url=url, private_key=_KEY).signer is not None


_INCAPABLE = Capabilities(ping=False, headers=False, proxy=False, tls=False, http_status=False)
_CAPABLE = Capabilities(
    ping=True, headers=True, proxy=True, tls=True, http_status=True, subprotocols=True, compression=True, socks=True
)


def test_ping_frames_need_a_runtime_that_has_them() -> None:
    """Mode `ping` without ping frames is an `UnsupportedRuntime`; the other modes work."""
    transport = MemoryServer(_silent, capabilities=_INCAPABLE)
    with pytest.raises(UnsupportedRuntime, match="use keep-alive mode 'auto' or 'rpc'") as caught:
        _config(transport=transport, keepalive=KeepAlive(20, mode="ping"))
    assert caught.value.option == "keepalive"
    for mode in ("auto", "rpc"):
        assert _config(transport=transport, keepalive=KeepAlive(20, mode=mode)).keepalive is not None


_TLS = Capabilities(ping=True, headers=False, proxy=False, tls=True, http_status=False)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("headers", {"X-Tenant": "a"}, "does not let a page set the headers"),
        ("headers", _headers, "does not let a page set the headers"),
        ("subprotocols", ("circle.v1",), "offers none"),
        ("proxy", "http://proxy.example:3128", "proxies of its own settings"),
        ("proxy", None, "proxies of its own settings"),
        ("compression", True, "decides by itself"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_the_transport_cannot_do(option: str, value: Any, words: str) -> None:
    """An option that the transport has no means for is an `UnsupportedRuntime`; where it has, it is kept."""
    assert _values(_config(transport=MemoryServer(_silent, capabilities=_CAPABLE), **{option: value}))[option] == value
    for without in (MemoryServer(_silent), MemoryServer(_silent, capabilities=_INCAPABLE)):
        with pytest.raises(UnsupportedRuntime, match=f"{option} is not for this runtime, which .*{words}") as caught:
            _config(transport=without, **{option: value})
        assert caught.value.option == option


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a", "SOCKS5"])
def test_a_socks_proxy_needs_its_package(scheme: str) -> None:
    """Where the package is missing, the error says how to get it; the password is not in it."""
    url = f"{scheme}://name:word@proxy.example:1080"
    assert _config(transport=MemoryServer(_silent, capabilities=_CAPABLE), proxy=url).proxy == url
    without = MemoryServer(_silent, capabilities=dataclasses.replace(_CAPABLE, socks=False))
    with pytest.raises(ConfigError, match=r"pip install 'circle-ws\[socks\]'") as caught:
        _config(transport=without, proxy=url)
    assert caught.value.option == "proxy"
    assert "word" not in str(caught.value)


def test_headers_are_taken_as_they_are_now() -> None:
    """What happens later to the mapping that was given is nothing to the config, which checked it."""
    given = {"X-Tenant": "a", "Authorization": "Bearer hunter2"}
    config = _config(transport=MemoryServer(_silent, capabilities=_CAPABLE), headers=given)
    given["X-Tenant"] = "b\r\n"
    assert config.headers == {"X-Tenant": "a", "Authorization": "Bearer hunter2"}
    assert dataclasses.replace(config, open_timeout=1).headers == config.headers


async def _token(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("headers", {"Authorization": "Bearer hunter2", "X-Tenant": "hunter2"}, "<headers: Authorization, X-Tenant>"),
        ("headers", functools.partial(_token, "hunter2"), "<function partial>"),
        ("headers", _headers, "<function _headers>"),
        ("proxy", "http://name:hunter2@proxy.example:3128/", "'http://proxy.example:3128'"),
        ("proxy", "https://hunter2:hunter2@[::1]", "'https://[::1]'"),
        ("proxy", None, "None"),
        ("proxy", "environment", "'environment'"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_that_may_be_secrets_are_not_shown(option: str, value: Any, shown: str) -> None:
    """Of headers the names are shown, of a proxy where it is."""
    config = _config(transport=MemoryServer(_silent, capabilities=_CAPABLE), **{option: value})
    for text in (repr(config), str(config), f"{config}"):
        assert f"{option}={shown}" in text
        assert "hunter2" not in text


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("headers", {"Authorization": "Bearer hunter2\n"}),
        ("headers", {"Authorization": b"Bearer hunter2"}),
        ("headers", {"Authorization: Bearer hunter2": ""}),
        ("headers", {"Authorization ": "hunter2"}),
        ("headers", "Authorization: Bearer hunter2"),
        ("proxy", "name:hunter2@proxy.example:3128"),
        ("proxy", "ftp://name:hunter2@proxy.example:3128"),
        ("proxy", "http:name:hunter2@proxy.example:3128"),
        ("proxy", "http://name:hunter2@proxy.example:0"),
        ("proxy", "http://name:hunter2@proxy.example:x"),
        ("proxy", "http://name:hunter2/@proxy.example:3128"),
        ("proxy", "http://name:1#hunter2@proxy.example:3128"),
        ("proxy", "http://hunter2:1?2@proxy.example:3128"),
        ("proxy", "http://hunter2:@proxy.example:3128"),
        ("proxy", "http://name:hunter2%ff@proxy.example:3128"),
        ("proxy", "http://name:hunter2\n@proxy.example:3128"),
        ("proxy", "http://name:hunter2@proxy.example:3128/hunter2"),
        ("proxy", "http://proxy.example/hunter2"),
        ("proxy", "http://proxy.example?hunter2"),
        ("proxy", b"http://name:hunter2@proxy.example:3128"),
    ],
)
def test_errors_do_not_repeat_what_may_be_a_secret(option: str, value: Any) -> None:
    """Wherever a secret was put wrongly, the error has nothing of it, and neither has what it came from."""
    with pytest.raises(ConfigError) as caught:
        _config(transport=MemoryServer(_silent, capabilities=_CAPABLE), **{option: value})
    assert caught.value.option == option
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_url_that_a_function_returns_must_fit_the_context_for_tls() -> None:
    """It is known only when it is dialled."""
    context: Any = _Context()
    config = ClientConfig(lambda: "", transport=MemoryServer(_silent, capabilities=_TLS), tls=context)
    assert config.checked_url("wss://circle.example/") == "wss://circle.example/"
    with pytest.raises(ConfigError, match="use wss://"):
        config.checked_url("ws://localhost/")


def test_a_context_for_tls_needs_a_transport_that_takes_one() -> None:
    """An `ssl.SSLContext` is kept where the transport can use it, and an `UnsupportedRuntime` where it cannot."""
    context: Any = _Context()
    assert _config(transport=MemoryServer(_silent, capabilities=_TLS), tls=context).tls is context
    with pytest.raises(UnsupportedRuntime, match="this runtime, which decides by itself whom it trusts") as caught:
        _config(transport=MemoryServer(_silent), tls=context)
    assert caught.value.option == "tls"


@pytest.mark.parametrize("url", ["ws://circle.example/", "WS://localhost/"])
def test_a_context_for_tls_is_of_no_use_without_tls(url: str) -> None:
    """A CA for ws:// is refused, as it would check nothing: the caller means wss://."""
    transport = MemoryServer(_silent, capabilities=_TLS)
    with pytest.raises(ConfigError, match="use wss://") as caught:
        _config(url=url, transport=transport, tls=_Context())
    assert caught.value.option == "tls"


def test_a_bound_profile_may_be_the_configured_one() -> None:
    """The profile may be a bound one, of which the public key's form is the compressed one."""
    config = _config(private_key=_KEY, profile="circle-bound-v1")
    assert config.signature_profile is PROFILES["circle-bound-v1"]
    assert getattr(config.signer, "own_public_key", None) == KeyPair(_KEY).format_public_key(compressed=True)


@pytest.mark.parametrize("profile", ["circle-bound-v1", "circle-bound-eip191-v1"])
def test_a_policy_may_not_contradict_the_profile(profile: str) -> None:
    """A bound profile and the policy never to sign one are a mistake that is told at once."""
    with pytest.raises(ConfigError, match="policy legacy-only") as caught:
        _config(private_key=_KEY, profile=profile, policy="legacy-only")
    assert caught.value.option == "policy"


def test_a_policy_may_not_ask_for_what_the_signer_cannot() -> None:
    """Requiring a bound signature of a signer that can give none would never connect, and is told at once."""
    with pytest.raises(ConfigError, match="policy require-bound needs a signer") as caught:
        _config(signer=_Wallet("eip191"), policy="require-bound")
    assert caught.value.option == "policy"
    wallet = _Wallet("eip191", "circle-bound-eip191-v1")
    assert _config(signer=wallet, policy="require-bound").signer is wallet


def test_no_secret_is_shown() -> None:
    """Neither `repr`, `str` nor the URL for messages has the key or what may be a token; the rest is there."""
    config = _config(url=f"{_URL}path?token=hunter2", private_key=_KEY, call_timeout=77)
    for text in (repr(config), str(config), f"{config}", config.shown_url):
        assert _KEY not in text.lower()
        assert repr(bytes.fromhex(_KEY))[2:10] not in text
        assert str(int(_KEY, 16)) not in text
        assert "hunter2" not in text
    assert "url='wss://circle.example/path?...'" in repr(config)
    assert "call_timeout=77" in repr(config)


@pytest.mark.parametrize("write", [pickle.dumps, copy.deepcopy])
def test_a_key_is_not_pickled_with_its_config(write: Any) -> None:
    """Writing a config with a key to a file or to another process fails instead of spreading the key."""
    with pytest.raises(TypeError, match="a KeyPair is not pickled"):
        write(_config(private_key=_KEY, profile=PROFILES["sha256-compact"]).signer)


def test_replacing_an_option() -> None:
    """`dataclasses.replace` checks the new value, and keeps the rest, the signer too."""
    config = _config(private_key=_KEY, call_timeout=7)
    again = dataclasses.replace(config, open_timeout=1)
    assert _values(again) == {**_values(config), "open_timeout": 1}
    with pytest.raises(ConfigError, match="open_timeout"):
        dataclasses.replace(config, open_timeout=-1)


@pytest.mark.parametrize("option", ["profile", "private_key"])
def test_replacing_what_the_signer_depends_on(option: str) -> None:
    """A key that is held is signed with in the profile of the new config, as if that had been made from the start."""
    config = _config(private_key=_KEY)
    if option == "profile":
        again = dataclasses.replace(config, profile="sha256-compact")
        made = _config(private_key=_KEY, profile="sha256-compact")
    else:
        again = dataclasses.replace(config, signer=None, private_key="46" * 32, profile="eip191-v0")
        made = _config(private_key="46" * 32, profile="eip191-v0")
    one, other = CircleWsClient(again), CircleWsClient(made)
    assert one.public_key == other.public_key
    assert again.signer is not None
    assert again.signer.profiles == made.signer.profiles  # type: ignore[union-attr]
    assert repr(again.signer) == repr(made.signer)


def test_replacing_the_profile_by_ones_own() -> None:
    """A profile that is the user's can be signed, too; nothing is left of the one of before."""
    mine = dataclasses.replace(PROFILES["sha256-compact"], name="mine")
    config = dataclasses.replace(_config(private_key=_KEY), profile=mine)
    assert config.signer is not None
    assert "mine" in config.signer.profiles
    back = dataclasses.replace(config, profile="eip191")
    assert back.signer is not None
    assert "mine" not in back.signer.profiles
