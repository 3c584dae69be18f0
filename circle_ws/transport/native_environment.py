"""Which proxy the environment, or the system, names for a URL."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import ConfigError
from ..proxy import find_proxy_fault, is_socks, shown_proxy

__all__ = ["environment_proxy"]


def environment_proxy(url: str, *, socks: bool) -> str | None:
    """Give the proxy for a `ws://` or `wss://` URL: `WSS_PROXY`, `SOCKS_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`.

    For `ws://` it is `WS_PROXY` first, and `HTTP_PROXY` before `ALL_PROXY`; `NO_PROXY` names the hosts that need none.
    Names in lower case count too, and on macOS and Windows the system's settings.

    Args:
        url: A checked URL.
        socks: Whether a SOCKS proxy can be used.

    Raises:
        ConfigError: It is one that cannot be used.
    """
    proxy = _look_up(url)
    if proxy is None:
        return None
    fault = find_proxy_fault(proxy)
    if fault is None and is_socks(proxy) and not socks:
        fault = "is a SOCKS proxy, for which a package is missing: python3 -m pip install 'circle-ws[socks]'"
    if fault is not None:
        raise ConfigError(
            f"the environment's proxy {shown_proxy(proxy)!r} {fault}; mend the environment, or say proxy=None",
            option="proxy",
        )
    return proxy


def _look_up(url: str) -> str | None:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    if proxy_bypass(f"{parts.hostname}:{parts.port or (443 if secure else 80)}"):
        return None
    # The order of `websockets`, which is that of RFC 6455 section 4.1; what is for everything comes last.
    names = ("wss", "socks", "https", "all") if secure else ("ws", "socks", "https", "http", "all")
    proxies = getproxies()
    for name in names:
        proxy = proxies.get(name)
        if not proxy:
            continue
        # Systems write the address of a SOCKS proxy like that of any other.
        kind = "socks5h" if name == "socks" else "http"
        address = proxy.removeprefix("http://") if name == "socks" else proxy
        return address if "://" in address else f"{kind}://{address}"
    return None
