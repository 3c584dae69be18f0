"""What a circle demands of its clients, and offers them: the same for every connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..auth.types import Dialect
    from .methods import Method

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Hold a circle's rules.

    Attributes:
        dialect: Which published form is spoken.
        profiles: The signature profiles that are accepted.
        keys: The public keys (66 hex characters) that may sign in; None admits every key.
        nonce_lifetime: How long a nonce is good for, in seconds.
        methods: Who answers what.
    """

    dialect: Dialect
    profiles: tuple[str, ...]
    keys: frozenset[str] | None
    nonce_lifetime: float
    methods: dict[str, Method] = field(default_factory=dict)

    def admit(self, public_key: str) -> bool:
        """Tell whether this key (66 hex characters) may sign in."""
        return self.keys is None or public_key in self.keys
