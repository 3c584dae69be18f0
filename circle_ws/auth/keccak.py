"""Keccak-256 as Ethereum uses it: the original padding, not that of SHA3-256.

Source: "The Keccak reference", version 3.0, section 1.2. It is written here for the browser: `hashlib` has only SHA3,
and the compiled library that is used natively does not run there.
"""

from __future__ import annotations

from functools import cache

__all__ = ["keccak_256"]

_RATE = 136
_MASK = (1 << 64) - 1


def keccak_256(data: bytes) -> bytes:
    """Hash `data`; the digest has 32 bytes."""
    # The last block is padded with one bit at its start and one at its end (pad10*1, Keccak's own domain).
    padded = bytearray(data + b"\x01" + bytes(_RATE - 1 - len(data) % _RATE))
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            offset = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[offset : offset + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _permute(state: list[int]) -> list[int]:
    """Apply Keccak-f[1600]: each round in straight lines, which takes half the time of loops over lists.

    A lane is named by its row and its place, `b3` is at x = 3 and y = 1. Section 1.2 names the steps.
    """
    (a0, a1, a2, a3, a4, b0, b1, b2, b3, b4, c0, c1, c2, c3, c4, d0, d1, d2, d3, d4, e0, e1, e2, e3, e4) = state
    for constant in _round_constants():
        # theta
        p0 = a0 ^ b0 ^ c0 ^ d0 ^ e0
        p1 = a1 ^ b1 ^ c1 ^ d1 ^ e1
        p2 = a2 ^ b2 ^ c2 ^ d2 ^ e2
        p3 = a3 ^ b3 ^ c3 ^ d3 ^ e3
        p4 = a4 ^ b4 ^ c4 ^ d4 ^ e4
        m0 = p4 ^ (p1 << 1 & _MASK | p1 >> 63)
        m1 = p0 ^ (p2 << 1 & _MASK | p2 >> 63)
        m2 = p1 ^ (p3 << 1 & _MASK | p3 >> 63)
        m3 = p2 ^ (p4 << 1 & _MASK | p4 >> 63)
        m4 = p3 ^ (p0 << 1 & _MASK | p0 >> 63)
        # rho and pi: each lane is rotated and moves to its new place
        v0 = a0 ^ m0
        v1 = (t := b1 ^ m1) << 44 & _MASK | t >> 20
        v2 = (t := c2 ^ m2) << 43 & _MASK | t >> 21
        v3 = (t := d3 ^ m3) << 21 & _MASK | t >> 43
        v4 = (t := e4 ^ m4) << 14 & _MASK | t >> 50
        w0 = (t := a3 ^ m3) << 28 & _MASK | t >> 36
        w1 = (t := b4 ^ m4) << 20 & _MASK | t >> 44
        w2 = (t := c0 ^ m0) << 3 & _MASK | t >> 61
        w3 = (t := d1 ^ m1) << 45 & _MASK | t >> 19
        w4 = (t := e2 ^ m2) << 61 & _MASK | t >> 3
        x0 = (t := a1 ^ m1) << 1 & _MASK | t >> 63
        x1 = (t := b2 ^ m2) << 6 & _MASK | t >> 58
        x2 = (t := c3 ^ m3) << 25 & _MASK | t >> 39
        x3 = (t := d4 ^ m4) << 8 & _MASK | t >> 56
        x4 = (t := e0 ^ m0) << 18 & _MASK | t >> 46
        y0 = (t := a4 ^ m4) << 27 & _MASK | t >> 37
        y1 = (t := b0 ^ m0) << 36 & _MASK | t >> 28
        y2 = (t := c1 ^ m1) << 10 & _MASK | t >> 54
        y3 = (t := d2 ^ m2) << 15 & _MASK | t >> 49
        y4 = (t := e3 ^ m3) << 56 & _MASK | t >> 8
        z0 = (t := a2 ^ m2) << 62 & _MASK | t >> 2
        z1 = (t := b3 ^ m3) << 55 & _MASK | t >> 9
        z2 = (t := c4 ^ m4) << 39 & _MASK | t >> 25
        z3 = (t := d0 ^ m0) << 41 & _MASK | t >> 23
        z4 = (t := e1 ^ m1) << 2 & _MASK | t >> 62
        # chi, and iota in the first lane
        a0, a1, a2, a3, a4 = _chi(v0, v1, v2, v3, v4)
        a0 ^= constant
        b0, b1, b2, b3, b4 = _chi(w0, w1, w2, w3, w4)
        c0, c1, c2, c3, c4 = _chi(x0, x1, x2, x3, x4)
        d0, d1, d2, d3, d4 = _chi(y0, y1, y2, y3, y4)
        e0, e1, e2, e3, e4 = _chi(z0, z1, z2, z3, z4)
    return [a0, a1, a2, a3, a4, b0, b1, b2, b3, b4, c0, c1, c2, c3, c4, d0, d1, d2, d3, d4, e0, e1, e2, e3, e4]


def _chi(v0: int, v1: int, v2: int, v3: int, v4: int) -> tuple[int, int, int, int, int]:
    # `~one & two` is `one ^ (one | two)`, which needs no mask.
    return v0 ^ v1 ^ (v1 | v2), v1 ^ v2 ^ (v2 | v3), v2 ^ v3 ^ (v3 | v4), v3 ^ v4 ^ (v4 | v0), v4 ^ v0 ^ (v0 | v1)


@cache
def _round_constants() -> tuple[int, ...]:
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            constant |= (register & 1) << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)
