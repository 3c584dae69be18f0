"""The peer `relay`: a hostile circle, which signs in at an honest one with what its visitors sign for it."""

import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.peers import kind
from tests.peers.websocket_peer import WebSocketPeer


@kind("relay")
class Relay(WebSocketPeer):
    """Gives visitors the honest circle's nonce to sign, and the honest circle their signatures.

    Args:
        target: The honest circle.
        strip: Tell visitors of no bound profile, whatever the honest circle offers.
        disguise: Hand on a bound signature as if it were a legacy one.
    """

    def __init__(self, target: str, strip: bool = False, disguise: bool = False) -> None:
        super().__init__()
        self._target = target
        self._strip = strip
        self._disguise = disguise
        self._gains: list[str | None] = []
        self._signatures: list[str] = []

    # What tests ask.

    def gains(self) -> list[str | None]:
        """As whom the honest circle has let it in, after each sign-in of a visitor; None where it was refused."""
        return self._gains

    def signatures(self) -> list[str]:
        """What visitors have signed for it."""
        return self._signatures

    async def serve_one(self, connection: ServerConnection) -> None:
        async with connect(self._target, compression=None) as honest:
            try:
                async for message in connection:
                    request = json.loads(message)
                    answer = await self._attack(honest, request["method"], request["params"])
                    await connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}))
            except ConnectionClosed:
                pass

    async def _attack(self, honest: ClientConnection, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "fetch_nonce":
            answer = await _ask(honest, method, params)
            result = answer.get("result")
            if self._strip and isinstance(result, dict):
                answer["result"] = result["nonce"]
            return answer
        if method == "authenticate":
            self._signatures.append(params["signature"])
            stolen = {name: params[name] for name in ("pubkey", "signature")} if self._disguise else params
            await _ask(honest, method, stolen)
            who = await _ask(honest, "whoami", [])
            self._gains.append(who["result"]["pubkey"] if "result" in who else None)
        # The visitor is to suspect nothing.
        return {"result": True}


async def _ask(honest: ClientConnection, method: str, params: Any) -> dict[str, Any]:
    await honest.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer = json.loads(await honest.recv())
    return {name: answer[name] for name in ("result", "error") if name in answer}
