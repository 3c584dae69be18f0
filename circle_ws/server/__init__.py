"""The reference circle: real nonces, real signatures, both published dialects. Native only.

```python
server = CircleServer(play=run_script)

@server.method()
async def get_user(id: int) -> dict[str, object]: ...

async with server:
    print(server.url)
    await server.serve_forever()
```
"""

from .circle import CircleServer
from .connection import Connection

__all__ = ["CircleServer", "Connection"]
