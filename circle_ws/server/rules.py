"""What a circle demands of its clients, and offers them: the same for every connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ..auth.profiles import BOUND

if TYPE_CHECKING:
    from collections.abc import MutableSet

    from ..jsonrpc.methods import Method

__all__ = ["DIALECTS", "PARAMS", "Admit", "Rules", "ServedDialect", "ServedParams"]

ServedDialect: TypeAlias = Literal["hero-0.2", "circles-1.0", "baobab"]
"""A published form that a circle can speak."""
ServedParams: TypeAlias = Literal["any", "named", "positional"]
"""The forms of params that a circle takes: an object (by name), an array (by position), or either."""
Admit: TypeAlias = Callable[[str], Awaitable[bool]]
"""An async function that tells whether a public key may sign in."""

DIALECTS: tuple[ServedDialect, ...] = get_args(ServedDialect)
PARAMS: tuple[ServedParams, ...] = get_args(ServedParams)
_REFUSED: dict[ServedParams, type] = {"named": list, "positional": dict}


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
        params: Which forms of params are taken.
        admit: Is asked at each sign-in whether a key (66 hex characters) may; None asks nobody.
        sign_in_timeout: How long a client may stay without signing in, in seconds; None sets no limit.
        max_batch_reply_bytes: How large the responses to the open batches of one client may be together.
    """

    dialect: ServedDialect
    profiles: tuple[str, ...]
    audience: str | None
    keys: frozenset[str] | None
    nonce_lifetime: float
    max_batch: int = 1000
    signed_bound: MutableSet[str] = field(default_factory=set)
    methods: dict[str, Method] = field(default_factory=dict)
    params: ServedParams = "any"
    admit: Admit | None = None
    sign_in_timeout: float | None = None
    max_batch_reply_bytes: int = 10 * 1024 * 1024

    @property
    def refused_params(self) -> type | None:
        """The type of params, as decoded, that is answered with -32602; None refuses neither form."""
        return _REFUSED.get(self.params)

    @property
    def legacy(self) -> tuple[str, ...]:
        """The accepted profiles that do not name the circle."""
        return tuple(name for name in self.profiles if name not in BOUND)

    @property
    def offered(self) -> list[str]:
        """The bound profiles that `fetch_nonce` offers."""
        return [name for name in BOUND if name in self.profiles] if self.audience is not None else []

    def lists(self, public_key: str) -> bool:
        """Tell whether `keys` has this key (66 hex characters), or lets every key in."""
        return self.keys is None or public_key in self.keys
