"""Clients for the tests: quick to reconnect, with a key that is known."""

from typing import Any

import circle_ws
from circle_ws import Backoff
from circle_ws.config.headers import UrlSource

__all__ = ["KEY", "OTHER_KEY", "QUICK", "client"]

KEY = "c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4"
OTHER_KEY = "4646464646464646464646464646464646464646464646464646464646464646"
QUICK = Backoff(first=0.05, base=0.05, maximum=0.1, floor=0.01)


def client(url: UrlSource, key: str | None = KEY, **options: Any) -> circle_ws.CircleWsClient:
    """Make a client from keywords."""
    config = circle_ws.ClientConfig(url, private_key=key, **{"backoff": QUICK, **options})
    return circle_ws.CircleWsClient(config)
