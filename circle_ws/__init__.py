"""The Python client for Circles: JSON-RPC over WebSocket, signed in with secp256k1, on CPython and in the browser.

```python
import circle_ws

async with circle_ws.connect("wss://circle.example/02ab...", private_key=key) as client:
    print(await client.play("40 + 2"))
```
"""

import logging

from .auth import Challenge, Dialect, KeyPair, Profile, Signer
from .batch import Batch, BatchResult
from .builder import CircleWsClientBuilder, Connecting, connect
from .client import CircleWsClient
from .config import ClientConfig
from .engine.listener import Gap, Listener
from .engine.notifications import Notification
from .engine.observers import StatusChanges
from .errors import (
    AuthError,
    AuthRejected,
    CallTimeout,
    CircleWsError,
    ClientClosed,
    ConfigError,
    ConnectionFailed,
    ConnectionLost,
    DowngradeDetected,
    InvalidKey,
    InvalidNonce,
    InvalidRequest,
    InvalidResult,
    MessageTooLarge,
    NotConnected,
    OutcomeUnknown,
    ProtocolError,
    QueueFull,
    RedirectRefused,
    RpcError,
    SignerFailed,
    UnsupportedRuntime,
)
from .hooks import CallNext, Middleware, Request, SetupSession
from .policy import Backoff, Failure, KeepAlive, Verdict
from .stats import ClientStats
from .status import ConnectionStatus, StatusChange

__version__ = "0.1.0"

__all__ = [
    "AuthError",
    "AuthRejected",
    "Backoff",
    "Batch",
    "BatchResult",
    "CallNext",
    "CallTimeout",
    "Challenge",
    "CircleWsClient",
    "CircleWsClientBuilder",
    "CircleWsError",
    "ClientClosed",
    "ClientConfig",
    "ClientStats",
    "ConfigError",
    "Connecting",
    "ConnectionFailed",
    "ConnectionLost",
    "ConnectionStatus",
    "Dialect",
    "DowngradeDetected",
    "Failure",
    "Gap",
    "InvalidKey",
    "InvalidNonce",
    "InvalidRequest",
    "InvalidResult",
    "KeepAlive",
    "KeyPair",
    "Listener",
    "MessageTooLarge",
    "Middleware",
    "NotConnected",
    "Notification",
    "OutcomeUnknown",
    "Profile",
    "ProtocolError",
    "QueueFull",
    "RedirectRefused",
    "Request",
    "RpcError",
    "Signer",
    "SetupSession",
    "SignerFailed",
    "StatusChange",
    "StatusChanges",
    "UnsupportedRuntime",
    "Verdict",
    "__version__",
    "connect",
]

# The program decides what becomes of the log, as the documentation of `logging` asks of libraries.
logging.getLogger(__name__).addHandler(logging.NullHandler())
