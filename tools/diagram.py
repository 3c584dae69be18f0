"""Draw the states of a client from the one table of transitions: `python -m tools.diagram` writes docs/states.svg.

A test fails while the picture is not what the table says. Places are chosen by hand; every arrow is one of the table's.
"""

import math
from pathlib import Path

from circle_ws.status import TRANSITIONS, ConnectionStatus

__all__ = ["PICTURE", "diagram"]

PICTURE = Path(__file__).resolve().parent.parent / "docs/states.svg"

_S = ConnectionStatus
_WIDTH, _HEIGHT = 900, 470
_FONT = 'font-family="sans-serif" font-size="14"'
_HALF = (74, 19)
"""Half of the width and of the height of a state."""
_PLACES = {
    _S.IDLE: (95, 200),
    _S.CONNECTING: (310, 200),
    _S.AUTHENTICATING: (550, 200),
    _S.CONNECTED: (795, 200),
    _S.WAITING: (550, 55),
    _S.FAILED: (430, 350),
    _S.CLOSING: (675, 350),
    _S.CLOSED: (430, 435),
}
_KINDS = {
    "connect": ("#1f7a4d", "connects"),
    "wait": ("#b8590b", "is lost, or failed: tries again"),
    "fail": ("#b3202c", "gives up"),
    "cancel": ("#5b4bb3", "connect() was cancelled"),
    "close": ("#5f6b76", "close()"),
}
_BENDS = {
    (_S.CONNECTING, _S.CONNECTED): -0.17,
    (_S.CONNECTING, _S.IDLE): 0.16,
    (_S.AUTHENTICATING, _S.IDLE): -0.17,
    (_S.WAITING, _S.IDLE): 0.08,
    (_S.WAITING, _S.CONNECTING): 0.08,
    (_S.CONNECTING, _S.WAITING): 0.06,
    (_S.WAITING, _S.FAILED): 0.2,
    (_S.WAITING, _S.CLOSING): -0.2,
    (_S.FAILED, _S.CONNECTING): 0.12,
    (_S.CONNECTING, _S.FAILED): 0.12,
    (_S.CONNECTING, _S.CLOSING): 0.1,
    (_S.IDLE, _S.CLOSED): 0.1,
    (_S.CLOSING, _S.CLOSED): 0.06,
}
"""How far an arrow leaves the straight line, as a part of its length; to its right is positive."""


def diagram() -> str:
    """Return the picture."""
    arrows = [
        _arrow(origin, target)
        for origin in ConnectionStatus
        for target in ConnectionStatus
        if target in TRANSITIONS[origin]
    ]
    names = ", ".join(status.name for status in ConnectionStatus)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" {_FONT}>',
        f"<title>The states of a client, and which may follow which: {names}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        "<defs>",
        *(_head(kind, color) for kind, (color, _) in _KINDS.items()),
        "</defs>",
        *arrows,
        *(_state(status) for status in ConnectionStatus),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _kind(origin: ConnectionStatus, target: ConnectionStatus) -> str:
    if target in (_S.CLOSING, _S.CLOSED):
        return "close"
    if _S.WAITING in (origin, target) and target in (_S.WAITING, _S.CONNECTING):
        return "wait"
    return {_S.FAILED: "fail", _S.IDLE: "cancel"}.get(target, "connect")


def _arrow(origin: ConnectionStatus, target: ConnectionStatus) -> str:
    (x1, y1), (x2, y2) = _PLACES[origin], _PLACES[target]
    bend = _BENDS.get((origin, target), 0.0)
    middle = ((x1 + x2) / 2 - (y2 - y1) * bend, (y1 + y2) / 2 + (x2 - x1) * bend)
    (ax, ay), (bx, by) = _edge(origin, middle), _edge(target, middle)
    # The curve passes through `middle`, so its control point lies twice as far away.
    cx, cy = 2 * middle[0] - (ax + bx) / 2, 2 * middle[1] - (ay + by) / 2
    kind = _kind(origin, target)
    return (
        f'<path class="{origin.name}-{target.name}" d="M{ax:.0f} {ay:.0f}Q{cx:.0f} {cy:.0f} {bx:.0f} {by:.0f}" '
        f'fill="none" stroke="{_KINDS[kind][0]}" stroke-width="1.6" marker-end="url(#{kind})"/>'
    )


def _edge(status: ConnectionStatus, towards: tuple[float, float]) -> tuple[float, float]:
    """Return the point on the border of a state in the direction of another point."""
    x, y = _PLACES[status]
    dx, dy = towards[0] - x, towards[1] - y
    part = min(half / abs(d) if d else math.inf for half, d in zip(_HALF, (dx, dy), strict=True))
    return x + dx * part, y + dy * part


def _state(status: ConnectionStatus) -> str:
    x, y = _PLACES[status]
    final = "" if TRANSITIONS[status] else ' stroke-width="3"'
    return (
        f'<rect x="{x - _HALF[0]}" y="{y - _HALF[1]}" width="{2 * _HALF[0]}" height="{2 * _HALF[1]}" rx="8" '
        f'fill="#eef3f6" stroke="#33414d"{final}/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" fill="#17222b">{status.name}</text>'
    )


def _head(kind: str, color: str) -> str:
    box = 'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"'
    return f'<marker id="{kind}" {box}><path d="M0 1 10 5 0 9z" fill="{color}"/></marker>'


def _legend() -> list[str]:
    lines = []
    for number, (color, words) in enumerate(_KINDS.values()):
        y = 24 + 20 * number
        lines.append(f'<path d="M20 {y}h28" stroke="{color}" stroke-width="3"/>')
        lines.append(f'<text x="56" y="{y + 4}" font-size="12" fill="#17222b">{words}</text>')
    return lines


if __name__ == "__main__":
    PICTURE.write_text(diagram(), encoding="utf-8")
