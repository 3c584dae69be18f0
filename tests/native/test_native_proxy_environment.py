"""Which proxy the environment names; that it is gone through is shown in test_native_proxy.py."""

import itertools

import pytest
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from circle_ws import ConfigError
from circle_ws.transport.native_proxy import environment_proxy

PLAIN = "ws://circle.example/"
SECURE = "wss://circle.example:8443/02ab"
NAMES = ("ws", "wss", "socks", "http", "https", "all", "no")


@pytest.fixture(autouse=True)
def _no_proxies_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy settings of the machine's environment."""
    for name in NAMES:
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


def say(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Name another proxy for each."""
    for name in names:
        monkeypatch.setenv(name, f"http://{name.lower().removesuffix('_proxy')}.example:3128")


@pytest.mark.parametrize(
    ("names", "plain", "secure"),
    [
        ((), None, None),
        (("HTTP_PROXY",), "http://http.example:3128", None),
        (("HTTPS_PROXY",), "http://https.example:3128", "http://https.example:3128"),
        (("http_proxy", "https_proxy"), "http://https.example:3128", "http://https.example:3128"),
        (("ALL_PROXY",), "http://all.example:3128", "http://all.example:3128"),
        (("ALL_PROXY", "HTTP_PROXY"), "http://http.example:3128", "http://all.example:3128"),
        (("HTTPS_PROXY", "SOCKS_PROXY"), "socks5h://socks.example:3128", "socks5h://socks.example:3128"),
        (("SOCKS_PROXY", "WS_PROXY"), "http://ws.example:3128", "socks5h://socks.example:3128"),
        (("SOCKS_PROXY", "WSS_PROXY"), "socks5h://socks.example:3128", "http://wss.example:3128"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_named_for_whom(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], plain: str | None, secure: str | None
) -> None:
    """The most special name comes first, SOCKS before HTTP, and what is for everything last."""
    say(monkeypatch, *names)
    assert environment_proxy(PLAIN, socks=True) == plain
    assert environment_proxy(SECURE, socks=True) == secure


@pytest.mark.parametrize("url", [PLAIN, SECURE, "wss://[2001:db8::7]/", "ws://circle.example:81/"])
def test_it_is_what_websockets_would_take(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """But for ALL_PROXY, which other programs know too, the choice is that of `websockets`, whatever is named."""
    for count in range(6):
        for names in itertools.combinations(("ws", "wss", "socks", "http", "https"), count):
            for exception in ("", "circle.example", "other.example", "*", ".example:8443"):
                with monkeypatch.context() as patch:
                    say(patch, *(f"{name}_proxy" for name in names))
                    patch.setenv("no_proxy", exception)
                    assert environment_proxy(url, socks=True) == get_proxy(parse_uri(url))


@pytest.mark.parametrize("exception", ["*", "circle.example", "example", ".example", "a.b, circle.example"])
def test_no_proxy_excepts_hosts(monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    """NO_PROXY names hosts and domains that are dialled directly, wherever the proxy comes from."""
    say(monkeypatch, "ALL_PROXY", "HTTPS_PROXY")
    monkeypatch.setenv("NO_PROXY", exception)
    assert environment_proxy(SECURE, socks=True) is None
    assert environment_proxy("wss://circle.test/", socks=True) == (
        None if exception == "*" else "http://https.example:3128"
    )


@pytest.mark.parametrize(
    ("name", "value", "proxy"),
    [
        ("HTTPS_PROXY", "proxy.example:3128", "http://proxy.example:3128"),
        ("HTTPS_PROXY", "name:word@proxy.example:3128", "http://name:word@proxy.example:3128"),
        ("SOCKS_PROXY", "proxy.example:1080", "socks5h://proxy.example:1080"),
        ("SOCKS_PROXY", "http://proxy.example:1080", "socks5h://proxy.example:1080"),
        ("SOCKS_PROXY", "socks4://proxy.example:1080", "socks4://proxy.example:1080"),
        ("ALL_PROXY", "socks5://proxy.example:1080", "socks5://proxy.example:1080"),
        ("ALL_PROXY", "", None),
    ],
)
def test_how_it_may_be_written(monkeypatch: pytest.MonkeyPatch, name: str, value: str, proxy: str | None) -> None:
    """People leave the scheme out; systems write that of another."""
    monkeypatch.setenv(name, value)
    assert environment_proxy(SECURE, socks=True) == proxy


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("ftp://name:hunter2@proxy.example", "'ftp://proxy.example' must begin with one of http://"),
        ("http://name:hunter2/@proxy.example", "'(unreadable)' cannot be read"),
        (
            "socks5h://name:hunter2@proxy.example:1080",
            "a package is missing: python3 -m pip install 'circle-ws[socks]'",
        ),
    ],
)
def test_what_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    """The error says where it comes from and what to do, without the password."""
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(ConfigError) as caught:
        environment_proxy(SECURE, socks=False)
    assert caught.value.option == "proxy"
    assert words in str(caught.value)
    assert str(caught.value).startswith("the environment's proxy ")
    assert str(caught.value).endswith("; correct the environment, or set proxy=None")
    assert "hunter2" not in str(caught.value)
