"""Which URLs of proxies are good, and what of them may be shown."""

import pytest

from circle_ws.urls import find_proxy_fault, is_socks, shown_proxy


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
def test_a_good_url(url: str, shown: str) -> None:
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
def test_a_bad_url(url: str, fault: str, shown: str) -> None:
    """What is wrong is said in words, and what may be a part of a password is not shown."""
    assert fault in (find_proxy_fault(url) or "")
    assert shown_proxy(url) == shown
