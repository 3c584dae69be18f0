"""Signing in with a secp256k1 key: keys, profiles, signers."""

from .crypto_utils import (
    derive_public_key,
    format_public_key,
    generate_private_key,
    parse_private_key,
    sign_message,
    verify_signature,
)
from .keypair import KeyPair
from .profiles import PROFILES, Profile
from .signature import SignatureEncoding
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
    Signer,
    SignerFailed,
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
