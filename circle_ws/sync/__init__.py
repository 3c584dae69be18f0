"""The blocking client, for code that is not asyncio: scripts, notebooks, WSGI applications, workers.

```python
import circle_ws.sync

with circle_ws.sync.connect("wss://circle.example/02ab...", private_key=key) as client:
    print(client.play("40 + 2"))
```

Every method of `circle_ws.CircleWsClient` exists under the same name, with the same arguments and errors, and waits for
its result. Any number of threads may share a client. Underneath is the async client: natively on one event loop in a
thread that all blocking clients of a process share, in a page on the page's own loop, by stack switching (JSPI).
"""

from .batch import Batch, BatchResult
from .client import CircleWsClient, Options, connect
from .functions import SyncCallNext, SyncHeaders, SyncMiddleware, SyncSetup, SyncSetupSession, SyncSigner
from .listener import Listener, StatusChanges

__all__ = [
    "Batch",
    "BatchResult",
    "CircleWsClient",
    "Listener",
    "Options",
    "StatusChanges",
    "SyncCallNext",
    "SyncHeaders",
    "SyncMiddleware",
    "SyncSetup",
    "SyncSetupSession",
    "SyncSigner",
    "connect",
]
