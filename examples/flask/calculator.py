"""A WSGI app whose views call a circle with the blocking client.

    CIRCLE_URL=ws://127.0.0.1:8765/ CIRCLE_WS_PRIVATE_KEY=... gunicorn --preload --workers 4 'calculator:create_app()'

All threads of a worker process share one client. It is made with the app, and used for the first time in the worker:
so a server may load the app before it forks its workers.
"""

import os
from typing import Any

from flask import Flask, request

from circle_ws import CallTimeout, CircleWsClientBuilder, ConnectionStatus, OutcomeUnknown, RpcError
from circle_ws.errors import CircleWsError


def builder_from_environment() -> CircleWsClientBuilder:
    url = os.environ.get("CIRCLE_URL", "ws://127.0.0.1:8765/")
    return CircleWsClientBuilder(url).with_keypair(os.environ["CIRCLE_WS_PRIVATE_KEY"]).with_timeouts(call=10)


def create_app(builder: CircleWsClientBuilder | None = None) -> Flask:
    client = (builder or builder_from_environment()).build_sync()
    app = Flask(__name__)
    app.extensions["circle"] = client

    @app.before_request
    def start() -> None:
        # In the worker, not above: a client belongs to the process that first uses it.
        if client.status is ConnectionStatus.IDLE:
            client.start()

    @app.get("/calculate")
    def calculate() -> dict[str, str]:
        # While the client reconnects, this waits for it, up to the call's timeout.
        return {"output": client.play(request.args["script"])}

    @app.get("/health")
    def health() -> tuple[dict[str, Any], int]:
        told = {"circle": client.status.value, "process": os.getpid()}
        return told, 200 if client.is_connected() else 503

    app.register_error_handler(CircleWsError, explain)
    return app


def explain(error: CircleWsError) -> tuple[dict[str, str], int]:
    """Answer a request whose call has failed."""
    status = 503
    if isinstance(error, RpcError):
        status = 422
    elif isinstance(error, CallTimeout):
        status = 504
    elif isinstance(error, OutcomeUnknown):
        # It may have run: only the caller knows whether it may be sent again.
        status = 502
    return {"error": type(error).__name__, "message": str(error)}, status
