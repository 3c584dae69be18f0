"""A little language for `play`: arithmetic, read as a syntax tree and never run as code."""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ScriptError", "evaluate"]

MAX_CHARACTERS = 500
MAX_BITS = 3322
"""Whole numbers have up to a thousand decimal digits."""

# Looked at before parsing: of what else is in a script Python's parser may write warnings, with the script, to stderr.
_ALPHABET = re.compile(
    r"(?:0[xX][0-9a-fA-F_]++|0[oO][0-7_]++|0[bB][01_]++"
    r"|(?:[0-9][0-9_]*+\.?[0-9_]*+|\.[0-9][0-9_]*+)(?:[eE][+-]?[0-9_]++)?+"
    r"|[-+*/%<>=!()\s])*+",
    re.ASCII,
)

Number = int | float


class ScriptError(ValueError):
    """A script is no arithmetic, or has no number as its result."""


def evaluate(script: str) -> str:
    """Work out a script such as `40 + 2`, `2 ** 10 / 3` or `7 * 6 == 42`.

    It knows numbers, `+ - * / // % **`, comparisons and parentheses.

    Returns:
        The result as Python writes it.

    Raises:
        ScriptError: It is no arithmetic, divides by zero, or leads to a number that is too large.
    """
    if len(script) > MAX_CHARACTERS:
        raise ScriptError(f"a script has up to {MAX_CHARACTERS} characters, not {len(script)}")
    if _ALPHABET.fullmatch(script) is None:
        raise ScriptError(_KNOWN)
    try:
        tree = ast.parse(script.strip(), mode="eval").body
        result = _compare(tree) if isinstance(tree, ast.Compare) else _number(tree)
    except ZeroDivisionError:
        raise ScriptError("this divides by zero") from None
    except OverflowError:
        raise ScriptError("this leads to a number that is too large") from None
    except ScriptError:
        raise
    except (SyntaxError, ValueError):
        raise ScriptError("this is no arithmetic; try 40 + 2") from None
    except (RecursionError, MemoryError):
        raise ScriptError("this is nested too deeply") from None
    return str(result)


def _number(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=value) if type(value) in (int, float):
            return _bounded(value)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _bounded(_SIGNS[type(op)](_number(operand)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_number(left), _number(right)))
    raise ScriptError(_KNOWN)


def _compare(node: ast.Compare) -> bool:
    values = [_number(each) for each in (node.left, *node.comparators)]
    if any(type(op) not in _COMPARISONS for op in node.ops):
        raise ScriptError("numbers are compared with == != < <= > >=")
    return all(_COMPARISONS[type(op)](*pair) for op, *pair in zip(node.ops, values, values[1:], strict=False))


def _bounded(value: object) -> Number:
    if isinstance(value, int) and value.bit_length() <= MAX_BITS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, complex):
        raise ScriptError("this leads to a complex number")
    raise OverflowError


def _power(base: Number, exponent: Number) -> object:
    # A float overflows by itself; a whole number would grow for as long as there is memory.
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > 2 * MAX_BITS:
        raise OverflowError
    return base**exponent


_KNOWN = "only numbers, + - * / // % **, comparisons and parentheses are known here"

_SIGNS: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}

_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}

_COMPARISONS: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
