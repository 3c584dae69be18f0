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
from .profiles import PROFILES, Profile, SignatureEncoding
from .types import (
    AuthCredentials,
    AuthError,
    AuthRejected,
    Challenge,
    Dialect,
    InvalidKey,
    InvalidNonce,
    Nonce,
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
    "InvalidKey",
    "InvalidNonce",
    "KeyPair",
    "Nonce",
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
