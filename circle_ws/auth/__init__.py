"""Signing in with a secp256k1 key: keys, profiles, signers.

Importing it loads no signing library; `backend` loads one with the first key.
"""

from ..errors import AuthError, AuthRejected, DowngradeDetected, InvalidKey, InvalidNonce, SignerFailed
from .crypto_utils import (
    derive_public_key,
    format_public_key,
    generate_private_key,
    parse_private_key,
    sign_message,
    verify_signature,
)
from .keypair import KeyPair
from .profiles import PROFILES
from .signature import SignatureEncoding
from .types import AuthCredentials, Challenge, Dialect, Nonce, Policy, Profile, Signer

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
