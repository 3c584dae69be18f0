"""Which URLs circles and proxies can have, and what of them may be shown."""

from typing import Any

import pytest

from circle_ws.errors import ConfigError
from circle_ws.urls import (
    check_url,
    find_proxy_fault,
    is_loopback,
    is_plain,
    is_socks,
    normalised,
    shown,
    shown_proxy,
)

_SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "wss://circle.example",
        "wss://circle.example/",
        "wss://circle.example/02ab",
        "wss://circle.example:8443/a/b?token=x&y=1",
        "ws://localhost:8765",
        "ws://127.0.0.1:65535/",
        "wss://[2001:db8::1]:443/x",
        "wss://xn--bcher-kva.example/%C3%A4",
        "WSS://Circle.Example/",
        "wss://circle.example/@name",
        "wss://circle.example/?at=a@b",
        "wss://circle.example./",
        "wss://circle_1.example/",
        "wss://1.example/",
        "wss://127.0.0.1.example/",
        "wss://0x7f.example/",
        "wss://0xcircle/",
        "wss://127.0.0.1./",
        "wss://circle.example/.../.a/a./..a",
        "wss://circle.example/?/../",
        "wss://circle.example/%7Eu",
        f"wss://{'a' * 63}.example/",
        f"wss://{'.'.join(['a' * 49] * 5)}.bc./",
    ],
)
def test_good_urls_are_taken(url: str) -> None:
    """A URL that every runtime reads in the same way is taken."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "must begin with ws:// or wss://"),
        ("circle.example", "must begin with ws:// or wss://, not without a scheme"),
        ("//circle.example/", "must begin with ws:// or wss://"),
        ("https://circle.example/", "must begin with ws:// or wss://, not https:"),
        ("localhost:8765", "must begin with ws:// or wss://"),
        ("wss:circle.example", "names no host"),
        ("wss://", "names no host"),
        ("wss:///path", "names no host"),
        ("wss://:8080/", "names no host"),
        ("wss://?x", "names no host"),
        ("wss://circle.example:0/", "has port 0"),
        ("wss://circle.example:65536/", "its port is no number"),
        ("wss://circle.example:-1/", "its port is no number"),
        ("wss://circle.example:http/", "its port is no number"),
        ("wss://[::1/", "no IPv6 address"),
        ("wss://[circle.example]/", "no IPv6 address"),
        ("wss://circle.example/#top", "has a fragment"),
        ("wss://circle.example/#", "has a fragment"),
        ("wss://user@circle.example/", "holds a user name or password"),
        ("wss://user:@circle.example/", "holds a user name or password"),
        ("wss://@circle.example/", "holds a user name or password"),
        ("wss://user@circle.example/", "with_headers({'Authorization': ...})"),
        ("wss://üser:pw@circle.example/", "holds a user name or password"),
        ("wss://bücher.example/", "write its ASCII form, which begins with xn--"),
        ("wss://bücher.example:8443/ä?ö#ü", "write its ASCII form, which begins with xn--"),
        ("wss://faß.example", "write its ASCII form, which begins with xn--"),
        ("WSS://Bücher.Example?x", "write its ASCII form, which begins with xn--"),
        ("wss://circle.example/ä", "beyond ASCII; percent-encode it"),
        ("wss://circle.example?ä", "beyond ASCII; percent-encode it"),
        ("wss://circle.example/ä", "beyond ASCII"),
        ("wss://circle.example/a b", "a space"),
        (" wss://circle.example/", "a space"),
        ("wss://circle.example/\n", "control character"),
        ("wss://circle.example/a\tb", "control character"),
        ("wss://circle.example/\x00", "control character"),
        ("wss://circle.example/\x7f", "control character"),
        ("wss://circle.example\\@evil.example/", "backslash"),
        ("wss://circle。example/", "beyond ASCII"),
        ("wss://circle.example:８０/", "beyond ASCII"),
        ("wss://127.1/", "has a numeric host"),
        ("wss://127.0.0.1.1/", "has a numeric host"),
        ("wss://2130706433/", "has a numeric host"),
        ("wss://0x7f.1/", "has a numeric host"),
        ("wss://0X7F000001/", "has a numeric host"),
        ("wss://0x/", "has a numeric host"),
        ("wss://circle.0x7f/", "has a numeric host"),
        ("wss://circle.127/", "has a numeric host"),
        ("wss://0177.0.0.1/", "has a numeric host"),
        ("wss://127.0.0.01/", "has a numeric host"),
        ("wss://127.0.0.256/", "has a numeric host"),
        ("wss://127.1./", "has a numeric host"),
        ("wss://[fe80::1%25eth0]/", "has a percent sign in its host"),
        ("wss://[fe80::1%eth0]/", "has a percent sign in its host"),
        ("ws://[::1]./", "between the brackets of an IPv6 address and its port"),
        ("ws://[::1].:8765/", "between the brackets of an IPv6 address and its port"),
        ("wss://circle%2eexample/", "has a percent sign in its host"),
        ("wss://exa%6dple.com/", "has a percent sign in its host"),
        ("wss://circle..example/", "has a host with other characters"),
        ("wss://.circle.example/", "has a host with other characters"),
        ("wss://circle.example../", "has a host with other characters"),
        ("wss://./", "has a host with other characters"),
        (f"wss://circle.{'04' * 32}.example/", "has a host with 64 characters between two dots; a name has at most 63"),
        (f"wss://{'a' * 64}./", "has a host with 64 characters between two dots"),
        (f"wss://{'.'.join(['a' * 49] * 5)}.bcde/", "has a host of 254 characters; a name has at most 253"),
        ("wss://circle!example/", "has a host with other characters"),
        ("wss://circle,example/", "has a host with other characters"),
        ("wss://*.example/", "has a host with other characters"),
        ("wss://circle.example;x/", "has a host with other characters"),
        ("wss://circle.example/a/../b", "has a dot segment"),
        ("wss://circle.example/./b", "has a dot segment"),
        ("wss://circle.example/a/..", "has a dot segment"),
        ("wss://circle.example/.", "has a dot segment"),
        ("wss://circle.example/%2E%2e/b", "has a dot segment"),
        ("wss://circle.example/.%2e/b", "has a dot segment"),
        ("wss://circle.example/%2e", "has a dot segment"),
    ],
)
def test_bad_urls_are_refused(url: str, words: str) -> None:
    """What a browser or Python would rewrite, or cannot dial, is refused with the reason."""
    with pytest.raises(ConfigError, match="^url ") as caught:
        check_url(url)
    assert words in str(caught.value)
    assert caught.value.option == "url"


@pytest.mark.parametrize("url", [None, b"wss://circle.example/", 7, object()])
def test_what_is_no_text_is_refused(url: Any) -> None:
    """A URL of another type is refused with its type."""
    with pytest.raises(ConfigError, match=f"not {type(url).__name__}") as caught:
        check_url(url)
    assert caught.value.option == "url"


@pytest.mark.parametrize(
    "url",
    [
        f"wss://user:{_SECRET}@circle.example/",
        f"https://user:{_SECRET}@circle.example/",
        f"wss://{_SECRET}@circle.example:0/",
        f"wss://user:{_SECRET}/@circle.example/",
        f"wss://user:[{_SECRET}]@circle.example/",
        f"wss://user:{_SECRET}:@[::1/",
        f"user:{_SECRET}@circle.example",
        f"wss:user:{_SECRET}@circle.example",
        f"wss:///user:{_SECRET}@circle.example/",
        f"wss://circle.example:0/?token={_SECRET}",
        f"https://circle.example/?token={_SECRET}",
        f"wss://circle.example/#token={_SECRET}",
        f"wss://circle.example/a b?token={_SECRET}",
        f"wss://circle.example:port/?token={_SECRET}",
        f"circle.example/?token={_SECRET}",
    ],
)
def test_no_message_shows_a_secret(url: str) -> None:
    """Neither a password, also one that was not percent-encoded, nor a query nor a fragment is in the message."""
    with pytest.raises(ConfigError) as caught:
        check_url(url)
    assert _SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("wss://circle.example:8443/02ab", "wss://circle.example:8443/02ab"),
        ("wss://circle.example/a?token=x", "wss://circle.example/a?..."),
        ("wss://circle.example/a?token=x#y", "wss://circle.example/a?...#..."),
        ("wss://user:pw@circle.example/a", "wss://circle.example/a"),
        ("wss://user:p@w@circle.example/a", "wss://circle.example/a"),
        ("wss://[::1", "(unreadable)"),
        ("wss://circle.example:pw/", "(unreadable)"),
    ],
)
def test_what_is_shown(url: str, text: str) -> None:
    """A message gets the scheme, the host, the port and the path, and sees that there was more."""
    assert shown(url) == text


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost",
        "ws://LOCALHOST:8765/x",
        "ws://localhost./",
        "ws://127.0.0.1/",
        "ws://127.255.255.254:1/",
        "ws://[::1]:8765/",
        "ws://[0:0:0:0:0:0:0:1]/",
        "ws://127.0.0.1./",
        "ws://127.0.0.2.:8765/",
        "ws://[::ffff:127.0.0.1]/",
        "ws://[::FFFF:7F00:1]/",
    ],
)
def test_loopback(url: str) -> None:
    """This machine is known by each of its names."""
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "ws://circle.example/",
        "ws://localhost.circle.example/",
        "ws://notlocalhost/",
        "ws://127.0.0.1.circle.example/",
        "ws://128.0.0.1/",
        "ws://0.0.0.0/",
        "ws://10.0.0.1/",
        "ws://192.168.1.1/",
        "ws://[::]/",
        "ws://[::2]/",
        "ws://[::ffff:128.0.0.1]/",
        "ws://circle.example/localhost",
        "ws://circle.example/?127.0.0.1",
        # Python and browsers do not agree on these, so no key is risked on them.
        "ws://127.1/",
        "ws://2130706433/",
        "ws://0x7f.0.0.1/",
        "ws://0177.0.0.1/",
        "ws://127.0.0.01/",
    ],
)
def test_not_loopback(url: str) -> None:
    """What is, or may be, another machine is not taken for this one."""
    assert not is_loopback(url)


@pytest.mark.parametrize(
    ("url", "plain"),
    [("ws://a/", True), ("WS://a/", True), ("Ws://a/", True), ("wss://a/", False), ("WSS://a/", False)],
)
def test_plain(url: str, plain: bool) -> None:
    """An unencrypted URL is known in whatever case its scheme is written."""
    assert is_plain(url) is plain


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("wss://circle.example", "wss://circle.example/"),
        ("wss://circle.example./02ab", "wss://circle.example/02ab"),
        ("WSS://Circle.EXAMPLE.:443/A?B=C", "wss://circle.example/A?B=C"),
        ("ws://circle.example:80", "ws://circle.example/"),
        ("ws://circle.example:443/", "ws://circle.example:443/"),
        ("wss://circle.example.:8443?x=/./", "wss://circle.example:8443/?x=/./"),
        ("wss://circle.example:/", "wss://circle.example/"),
        ("ws://localhost.:8765//a", "ws://localhost:8765//a"),
        ("ws://127.0.0.1.:8765", "ws://127.0.0.1:8765/"),
        ("wss://[2001:DB8:0:0::1]:443/x", "wss://[2001:db8::1]/x"),
        ("wss://[::ffff:192.0.2.1]:444/", "wss://[::ffff:c000:201]:444/"),
        ("wss://circle.example/%7Eu/%c3?q=%C3", "wss://circle.example/%7Eu/%c3?q=%C3"),
    ],
)
def test_one_form_of_all_that_are_the_same(url: str, same: str) -> None:
    """What is dialled, looked up, compared and certified is written in one way; path and query stay as they are."""
    check_url(url)
    assert normalised(url) == same
    assert normalised(same) == same


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example", "http://proxy.example"),
        ("http://proxy.example:3128/", "http://proxy.example:3128"),
        ("HTTPS://Proxy.Example:443", "https://Proxy.Example:443"),
        ("http://[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
        ("http://name:word@10.0.0.1:3128", "http://10.0.0.1:3128"),
        ("http://name:w@rd@proxy.example:3128", "http://proxy.example:3128"),
        ("http://n%c3%a9:w%40rd@proxy.example:3128", "http://proxy.example:3128"),
        ("socks5://name:word@proxy.example:1080", "socks5://proxy.example:1080"),
        ("socks5h://proxy.example:1080", "socks5h://proxy.example:1080"),
        ("socks4://proxy.example:1080", "socks4://proxy.example:1080"),
        ("socks4a://proxy.example:1080", "socks4a://proxy.example:1080"),
    ],
)
def test_a_proxy(url: str, shown: str) -> None:
    """Its scheme, host and port may be shown, and nothing else of it."""
    assert find_proxy_fault(url) is None
    assert shown_proxy(url) == shown
    assert is_socks(url) is shown.startswith("socks")


@pytest.mark.parametrize(
    ("url", "fault", "shown"),
    [
        ("proxy.example:3128", "must begin with one of http://, https://, socks5h://", "(unreadable)"),
        ("name:word@proxy.example:3128", "must begin with", "(unreadable)"),
        ("ws://proxy.example:3128", "must begin with", "ws://proxy.example:3128"),
        ("http://", "names no host", "(unreadable)"),
        ("http://proxy.example:0", "names no port", "http://proxy.example:0"),
        ("socks5h://proxy.example", "names no port", "socks5h://proxy.example"),
        ("http://proxy.example:port", "cannot be read", "(unreadable)"),
        ("http://[proxy", "cannot be read", "(unreadable)"),
        ("http://proxy.example/path", "has more after its host and port", "http://proxy.example"),
        ("http://name:1/2@proxy.example", "has more after its host and port", "(unreadable)"),
        ("http://name@proxy.example", "has a user name without a password", "http://proxy.example"),
        ("http://name:%ff@proxy.example", "is no UTF-8", "http://proxy.example"),
        ("http://name:%00@proxy.example", "has a control character", "http://proxy.example"),
        ("socks5://name:%c3%a9@proxy.example:1", "which SOCKS cannot send", "socks5://proxy.example:1"),
        (f"http://n:word@{'a' * 64}.example", "64 characters between two dots", f"http://{'a' * 64}.example"),
        (f"http://{'a.' * 126}bc", "has a host of 254 characters", f"http://{'a.' * 126}bc"),
        ("http://proxy.example\n", "holds a space or a control character", "http://proxy.example"),
        ("http://pröxy.example", "write the ASCII form (xn--...)", "http://pröxy.example"),
    ],
)
def test_what_is_no_proxy(url: str, fault: str, shown: str) -> None:
    """What is wrong is said in words, and what may be a part of a password is not shown."""
    assert fault in (find_proxy_fault(url) or "")
    assert shown_proxy(url) == shown
