"""Any text as the URL of a circle or of a proxy: it is refused in words, or means the same wherever it is read.

No password is shown, neither of a good one nor of a bad one.
"""

import re
from urllib.parse import urlsplit

from circle_ws import urls
from circle_ws.errors import ConfigError

__all__ = ["one_input"]

_SECRET = "S3cretW0rd"


def _refused(url: str) -> bool:
    try:
        urls.check_url(url)
    except ConfigError as error:
        assert str(error).isprintable() or "\n" not in str(error), "a message of several lines"
        return True
    return False


def _circle(url: str) -> None:
    urls.shown(url)
    if _refused(url):
        return
    form = urls.normalised(url)
    assert urls.normalised(form) == form, f"the one form of {url!r} has another one"
    assert not _refused(form), f"the one form of {url!r} is refused"
    parts = urlsplit(form)
    assert parts.scheme in ("ws", "wss")
    assert urls.host_of(parts), "there is no host"
    assert 0 <= urls.port_of(parts) <= 65_535
    assert urls.is_loopback(form) == urls.is_loopback(url)


def _with_password(url: str) -> None:
    """Put a password into it: no message and no shown form has it."""
    found = re.match(r"([a-z0-9]+)://([^/?#@]*)", url)
    if found is None:
        return
    told = f"{found[1]}://name:{_SECRET}@{found[2]}{url[found.end() :]}"
    for text in (urls.shown(told), urls.shown_proxy(told), urls.find_proxy_fault(told) or ""):
        assert _SECRET not in text, f"a password is shown: {text}"
    try:
        urls.check_url(told)
    except ConfigError as error:
        assert _SECRET not in str(error), f"a password is shown: {error}"


def one_input(data: bytes) -> None:
    """Check one text."""
    url = data.decode("utf-8", "surrogateescape")
    _circle(url)
    if urls.find_proxy_fault(url) is None:
        urls.is_socks(url)
    urls.shown_proxy(url)
    _with_password(url)
