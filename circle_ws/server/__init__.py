"""The reference circle: real nonces, real signatures, every published dialect.

```python
server = CircleServer(play=run_script)

@server.method()
async def get_user(id: int) -> dict[str, object]: ...

async with server:
    print(server.url)
    await server.serve_forever()
```

`CircleServer` and `ClientSocket` need the package `websockets`, and so native Python; all other modules run anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .connection import Connection

if TYPE_CHECKING:
    from .circle import CircleServer as CircleServer

__all__ = ["CircleServer", "Connection"]


def __getattr__(name: str) -> object:
    # On use, so that this package can be imported where there is no `websockets`, as in a page (PEP 562).
    if name == "CircleServer":
        try:
            from .circle import CircleServer
        except ModuleNotFoundError as error:
            raise ImportError(
                f"CircleServer listens on sockets and needs {error.name}: it is for native Python"
            ) from error
        return CircleServer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
