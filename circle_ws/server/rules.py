"""What a circle demands of its clients, and offers them: the same for every connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..auth.profiles import BOUND

if TYPE_CHECKING:
    from collections.abc import MutableSet

    from ..auth.types import Dialect
    from ..jsonrpc.methods import Method

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """Hold a circle's rules.

    Attributes:
        dialect: Which published form is spoken.
        profiles: The signature profiles that are accepted.
        audience: The circle's public URL, normalised, that a bound signature must name; None offers no bound profile.
        keys: The public keys (66 hex characters) that may sign in; None admits every key.
        nonce_lifetime: How long a nonce is good for, in seconds.
        max_batch: How many members a batch may have.
        signed_bound: The keys (66 hex characters) that ever signed in bound: a legacy signature of theirs is refused,
            it may have been relayed.
        methods: Who answers what.
    """

    dialect: Dialect
    profiles: tuple[str, ...]
    audience: str | None
    keys: frozenset[str] | None
    nonce_lifetime: float
    max_batch: int = 256
    signed_bound: MutableSet[str] = field(default_factory=set)
    methods: dict[str, Method] = field(default_factory=dict)

    @property
    def legacy(self) -> tuple[str, ...]:
        """The accepted profiles that do not name the circle."""
        return tuple(name for name in self.profiles if name not in BOUND)

    @property
    def offered(self) -> list[str]:
        """The bound profiles that `fetch_nonce` offers."""
        return [name for name in BOUND if name in self.profiles] if self.audience is not None else []

    def admit(self, public_key: str) -> bool:
        """Tell whether this key (66 hex characters) may sign in."""
        return self.keys is None or public_key in self.keys
