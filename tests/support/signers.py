"""Signers that tests can look into."""

from circle_ws import Challenge
from circle_ws.auth import PROFILES, derive_public_key, sign_message
from tests.support.clients import KEY

__all__ = ["Vault"]


class Vault:
    """Signs whatever it is asked to, and remembers it.

    Args:
        profiles: What it can sign; everything without it.
        key: The private key.

    Attributes:
        asked: The challenges that it signed, oldest first.
    """

    def __init__(self, *profiles: str, key: str = KEY) -> None:
        self.profiles = frozenset(profiles or PROFILES)
        self.asked: list[Challenge] = []
        self._key = key

    async def public_key(self) -> str:
        return derive_public_key(self._key)

    async def sign(self, challenge: Challenge) -> str:
        self.asked.append(challenge)
        return sign_message(self._key, challenge.statement, challenge.profile)
