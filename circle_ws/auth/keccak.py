"""Keccak-256 as Ethereum uses it: the original padding, not that of SHA3-256.

Source: "The Keccak reference", version 3.0, section 1.2. It is written here for the browser: `hashlib` has only SHA3,
and the compiled library that is used natively does not run there.
"""

from __future__ import annotations

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


def _permute(lanes: list[int]) -> list[int]:
    """Apply Keccak-f[1600]. The lane at (x, y) has the index x + 5 y; section 1.2 names the steps."""
    register = 1
    for _ in range(24):
        # theta
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        mixed = [parity[x - 1] ^ _rotated(parity[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[index % 5] for index, lane in enumerate(lanes)]
        # rho and pi: each lane is rotated and moves to its new place
        x, y, lane = 1, 0, lanes[1]
        for step in range(1, 25):
            x, y = y, (2 * x + 3 * y) % 5
            lane, lanes[x + 5 * y] = lanes[x + 5 * y], _rotated(lane, step * (step + 1) // 2 % 64)
        # chi
        rows = [lanes[start : start + 5] for start in range(0, 25, 5)]
        lanes = [row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) for row in rows for x in range(5)]
        # iota: the constants come from a shift register
        for power in range(7):
            lanes[0] ^= (register & 1) << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
    return lanes


def _rotated(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _MASK
