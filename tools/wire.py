"""Write what goes over the wire into docs/protocol.md, as a real client sends it: `python -m tools.wire`.

The key, the nonce and what is random are fixed, so every byte is the same in every run; a test compares them.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

from circle_ws import CircleWsClientBuilder
from circle_ws.transport.memory import MemoryPeer, MemoryServer

__all__ = ["PAGE", "rewritten"]

PAGE = Path(__file__).resolve().parent.parent / "docs/protocol.md"
KEY = "01" * 32
URL = "wss://circle.example/02ab"

_NONCE = "5d41402abc4b2a76b9719d911017c592"
_EXPIRES = 1_800_000_000
_OFFER = {"nonce": _NONCE, "expires_at": _EXPIRES, "auth_profiles": ["circle-bound-v1"]}
_BLOCK = re.compile(r"(<!-- frames: (\w+); python -m tools.wire -->\n\n```text\n).*?(```\n)", re.DOTALL)


async def _frames(nonce: Any, *, batch: bool) -> list[str]:
    """Return the messages of a client that signs in and calls, with what its circle answers to each."""
    frames: list[str] = []
    answers = {"fetch_nonce": nonce, "authenticate": True, "play": {"output": "42"}, "add": 42}

    def answer(request: dict[str, Any]) -> dict[str, Any] | None:
        return (
            {"jsonrpc": "2.0", "id": request["id"], "result": answers[request["method"]]} if "id" in request else None
        )

    async def circle(peer: MemoryPeer) -> None:
        async for text in peer:
            frames.append(f"→ {text}")
            asked = json.loads(text)
            replies = [answer(one) for one in asked] if isinstance(asked, list) else answer(asked)
            if replies is not None:
                told = [one for one in replies if one] if isinstance(replies, list) else replies
                peer.send(json.dumps(told, separators=(",", ":")))
                frames.append(f"← {json.dumps(told, separators=(',', ':'))}")

    builder = CircleWsClientBuilder(URL).with_keypair(KEY).with_transport(MemoryServer(circle)).without_keepalive()
    # The one thing that is random in a sign-in that is bound to the circle.
    with patch("circle_ws.engine.authenticator.os.urandom", return_value=bytes(range(16))):
        async with builder.build() as client:
            if batch:
                await client.play("40 + 2")
                await client.notify("seen", ["a", 1])
                async with client.batch() as together:
                    together.call("add", {"a": 40, "b": 2})
                    together.notify("seen", ["b", 2])
    return frames


def rewritten(page: str) -> str:
    """Return the page with the messages of the present code."""
    frames = {
        "session": asyncio.run(_frames(_NONCE, batch=True)),
        "bound": asyncio.run(_frames(_OFFER, batch=False)),
    }
    return _BLOCK.sub(lambda found: found[1] + "\n".join(frames[found[2]]) + "\n" + found[3], page)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
