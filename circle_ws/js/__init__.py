"""The client for the JavaScript half of a page: promises and plain values, without proxies that one has to destroy.

```javascript
const circle = pyodide.pyimport("circle_ws.js");
const client = await circle.connect("wss://circle.example/02ab...", { privateKey: key });
console.log(await client.call("get_user", { id: 7 }));
const stop = client.on("tick", (params) => console.log(params));
await client.close();
```

`index.d.ts`, beside this module, has the types.
"""

from __future__ import annotations

from typing import Any

from ..errors import UnsupportedRuntime

__all__ = ["connect"]


def connect(url: Any, options: Any = None) -> Any:
    """Connect to a circle, called from JavaScript.

    Args:
        url: A string or a `URL`: the circle; or a function, sync or async, that returns one at every attempt.
        options: An object with the keywords of `circle_ws.connect` in camelCase, and `onStatus`.

    Returns:
        A promise of the connected client. It is rejected with an `Error` whose `name` is that of the Python exception.

    Raises:
        UnsupportedRuntime: This is not a page, nor another host of Pyodide.
    """
    try:
        import js  # noqa: F401 - asks whether this is a page
    except ImportError:
        raise UnsupportedRuntime(
            "circle_ws.js is for the JavaScript around Pyodide, and there is none here; use circle_ws.connect()"
        ) from None
    from .client import begin

    return begin(url, options)
