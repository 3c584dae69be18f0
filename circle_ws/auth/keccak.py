"""Keccak-256 as Ethereum uses it: the original padding, not that of SHA3-256.

Source: "The Keccak reference", version 3.0, section 1.2. It is written here because `hashlib` has only SHA3, and the
one text a sign-in hashes does not justify a C library that the browser could not load.
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
    for constant in _round_constants():
        # theta
        parity = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
        mix = [parity[x - 1] ^ _rotate(parity[(x + 1) % 5], 1) for x in range(5)]
        # rho and pi: each lane is rotated and moves to its new place
        moved = [0] * 25
        for source, (target, shift) in enumerate(_moves()):
            moved[target] = _rotate(state[source] ^ mix[source % 5], shift)
        # chi
        state = [
            moved[y + x] ^ (~moved[y + (x + 1) % 5] & moved[y + (x + 2) % 5] & _MASK)
            for y in range(0, 25, 5)
            for x in range(5)
        ]
        # iota
        state[0] ^= constant
    return state


def _rotate(lane: int, shift: int) -> int:
    return (lane << shift | lane >> (64 - shift)) & _MASK


@cache
def _moves() -> tuple[tuple[int, int], ...]:
    shifts = {(0, 0): 0}
    x, y = 1, 0
    for step in range(24):
        shifts[x, y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return tuple((y + 5 * ((2 * x + 3 * y) % 5), shifts[x, y]) for y in range(5) for x in range(5))


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
