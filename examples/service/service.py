"""A web service that holds one client of a circle for the life of the app.

    CIRCLE_URL=ws://127.0.0.1:8765/ CIRCLE_WS_PRIVATE_KEY=... uvicorn --factory service:create_app

The circle may start later, restart or be down for hours: the service is up, says so at `/health`, and answers again as
soon as the client has reconnected.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from circle_ws import CallTimeout, CircleWsClient, CircleWsClientBuilder, OutcomeUnknown, RpcError
from circle_ws.errors import CircleWsError

router = APIRouter()


def builder_from_environment() -> CircleWsClientBuilder:
    url = os.environ.get("CIRCLE_URL", "ws://127.0.0.1:8765/")
    return CircleWsClientBuilder(url).with_keypair(os.environ["CIRCLE_WS_PRIVATE_KEY"]).with_timeouts(call=10)


def create_app(builder: CircleWsClientBuilder | None = None) -> FastAPI:
    prepared = builder or builder_from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Built here and not above: a client belongs to the event loop on which it is used.
        app.state.client = client = prepared.build()
        # Not connect(): the service starts, and tells of it, while its circle is down.
        client.start()
        try:
            yield
        finally:
            await client.close()

    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(CircleWsError, explain)
    return app


def the_client(request: Request) -> CircleWsClient:
    client: CircleWsClient = request.app.state.client
    return client


Client = Annotated[CircleWsClient, Depends(the_client)]


@router.get("/health")
async def health(client: Client, response: Response) -> dict[str, Any]:
    response.status_code = 200 if client.is_connected() else 503
    failure = None if client.failure is None else str(client.failure)
    return {"circle": client.status.value, "reconnects": client.stats.reconnects, "failure": failure}


@router.get("/calculate")
async def calculate(client: Client, script: str) -> dict[str, str]:
    # While the client reconnects, this waits for it, up to the call's timeout.
    return {"output": await client.play(script)}


async def explain(request: Request, error: Exception) -> JSONResponse:
    """Answer a request whose call has failed."""
    status = 503
    if isinstance(error, RpcError):
        status = 422
    elif isinstance(error, CallTimeout):
        status = 504
    elif isinstance(error, OutcomeUnknown):
        # It may have run: only the caller knows whether it may be sent again.
        status = 502
    return JSONResponse({"error": type(error).__name__, "message": str(error)}, status)
