"""Signing in with a secp256k1 key: keys, profiles, signers."""

from typing import TYPE_CHECKING

from ..postponed import names_of
from .keypair import KeyPair
from .types import (
    AuthCredentials,
    AuthError,
    AuthRejected,
    Challenge,
    Dialect,
    DowngradeDetected,
    InvalidKey,
    InvalidNonce,
    Nonce,
    Policy,
    Profile,
    Signer,
    SignerFailed,
)

if TYPE_CHECKING:
    from .crypto_utils import (
        derive_public_key,
        format_public_key,
        generate_private_key,
        parse_private_key,
        sign_message,
        verify_signature,
    )
    from .profiles import PROFILES
    from .signature import SignatureEncoding
else:
    # What computes with keys, and what it needs for that, is for who has one.
    __getattr__, __dir__ = names_of(
        __name__,
        {
            "crypto_utils": (
                "derive_public_key",
                "format_public_key",
                "generate_private_key",
                "parse_private_key",
                "sign_message",
                "verify_signature",
            ),
            "profiles": ("PROFILES",),
            "signature": ("SignatureEncoding",),
        },
    )

__all__ = [
    "PROFILES",
    "AuthCredentials",
    "AuthError",
    "AuthRejected",
    "Challenge",
    "Dialect",
    "DowngradeDetected",
    "InvalidKey",
    "InvalidNonce",
    "KeyPair",
    "Nonce",
    "Policy",
    "Profile",
    "SignatureEncoding",
    "Signer",
    "SignerFailed",
    "derive_public_key",
    "format_public_key",
    "generate_private_key",
    "parse_private_key",
    "sign_message",
    "verify_signature",
]
