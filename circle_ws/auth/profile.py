"""What a signature profile is. The ones that are known are in `profiles`, which is loaded when one is looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from .signature import SignatureEncoding

__all__ = ["Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Describe one way to sign in. ECDSA over secp256k1, RFC 6979, low-S, is common to all.

    Attributes:
        name: How it is chosen, and what a `Signer` lists in `profiles`.
        message: Makes the bytes that are hashed from the statement, given as UTF-8.
        digest: Hashes those bytes to 32.
        encoding: The signature on the wire.
        compressed: The public key on the wire: 66 hex characters, or 130.
        v_offset: What is added to the recovery id, for the encoding RECOVERABLE.
        bare: True when the nonce itself is hashed, with nothing before it.
        bound: True when the statement names the circle.
    """

    name: str
    message: Callable[[bytes], bytes]
    digest: Callable[[bytes], bytes]
    encoding: SignatureEncoding
    compressed: bool
    v_offset: int = 27
    bare: bool = False
    bound: bool = False
