"""Types of alternatives: the kind of the value decides, and where it leaves several, the first that fits."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .forms import alias_value, identity, is_union, parts, unwrap
from .plan import KINDS, Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Convert, Plan

__all__ = ["alternatives", "fill_union"]

_MOST_FAILURES = 4
_MOST_OF_A_FAILURE = 160

_outcomes: ContextVar[dict[tuple[int, int], tuple[Any, Any]] | None] = ContextVar("outcomes", default=None)
"""What came of each nested value under each set of alternatives, while the outermost is under way.

Without it a value nested n deep in alternatives that fail late would be converted 2ⁿ times, at the peer's choice.
"""


def alternatives(form: Any) -> list[Any]:
    """List what a union, or an alias of one, is made of: neither unions nor aliases."""
    return list(_leaves(form, set()))


def _leaves(form: Any, seen: set[Any]) -> Iterator[Any]:
    form = unwrap(form)
    is_alias, value = alias_value(form)
    origin, arguments = parts(form)
    if is_alias:
        key = identity(form)
        if key not in seen:
            seen.add(key)
            yield from _leaves(value, seen)
    elif is_union(origin):
        for argument in arguments:
            yield from _leaves(argument, seen)
    else:
        yield form


def fill_union(plan: Plan, members: list[Plan]) -> None:
    """Take what any of the members takes; for each kind of value those that take it are tried in order."""
    plan.is_tag = all(member.is_tag for member in members)
    for kind in {kind: None for member in members for kind in member}:
        takers = [member for member in members if kind in member]
        if kind is int:
            # An integer becomes a float only where nothing takes it as an integer.
            takers.sort(key=lambda member: float in member.passes and int not in member.passes)
        if kind in takers[0].passes:
            plan.let_pass(kind)
        elif len(takers) == 1:
            plan[kind] = takers[0][kind]
        elif kind in (list, dict):
            plan[kind] = _first_of_nested(plan, [(taker, taker[kind]) for taker in takers])
        else:
            plan[kind] = _first_of_single(plan, kind, [taker[kind] for taker in takers])


def _first_of_single(plan: Plan, kind: type, choices: list[Convert]) -> Convert:
    def convert(value: Any) -> Any:
        for choice in choices:
            with suppress(Mismatch):
                return choice(value)
        raise plan.mismatch(f"another {KINDS[kind].rpartition(' ')[2]}")

    return convert


def _first_of_nested(plan: Plan, choices: list[tuple[Plan, Convert]]) -> Convert:
    def convert(value: Any) -> Any:
        outcomes = _outcomes.get()
        if outcomes is None:
            token = _outcomes.set({})
            try:
                return convert(value)
            finally:
                _outcomes.reset(token)
        key = (id(choices), id(value))
        if key not in outcomes:
            failures: list[tuple[Plan, Mismatch]] = []
            outcome: Any = None
            for taker, choice in choices:
                try:
                    outcome = choice(value)
                    break
                except Mismatch as mismatch:
                    failures.append((taker, mismatch))
            else:
                outcome = _combined(plan, failures)
            # With the value itself, so that no other can get its id meanwhile.
            outcomes[key] = (value, outcome)
        outcome = outcomes[key][1]
        if isinstance(outcome, Mismatch):
            raise outcome.again() from outcome.__cause__
        return outcome

    return convert


def _combined(plan: Plan, failures: list[tuple[Plan, Mismatch]]) -> Mismatch:
    """Tell why nothing fits; of objects with tags only of those whose tags are right."""
    meant = [one for one in failures if not (one[1].wrong_tag and len(one[1].steps) == 1)] or failures
    if len(meant) == 1:
        return meant[0][1]
    told = [f"as {taker.expected}, {_within(mismatch)}" for taker, mismatch in meant[:_MOST_FAILURES]]
    if len(meant) > _MOST_FAILURES:
        told.append(f"and {len(meant) - _MOST_FAILURES} more")
    return Mismatch(f"none of {plan.expected} fits: {'; '.join(told)}")


def _within(mismatch: Mismatch) -> str:
    # Cut: what is nested in alternatives again would double at each level.
    return str(mismatch).removeprefix("$").removeprefix(": ")[:_MOST_OF_A_FAILURE]
