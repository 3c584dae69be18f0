"""A little language for `play`: arithmetic, read as a syntax tree and never run as code."""

import ast
import math
import operator
import re
from collections.abc import Callable

__all__ = ["ScriptError", "evaluate"]

MAX_CHARACTERS = 500
MAX_BITS = 3322
"""Whole numbers have up to a thousand decimal digits."""

# Looked at before parsing: of what else is in a script Python's parser may write warnings, with the script, to stderr.
_ALPHABET = re.compile(r"[-+*/%()0-9.eE \t\r\n]*")

Number = int | float


class ScriptError(ValueError):
    """A script is no arithmetic, or has no number as its result."""


def evaluate(script: str) -> str:
    """Work out a script such as `40 + 2` or `2 ** 10 / 3`: decimal numbers, `+ - * / // % **` and parentheses.

    Returns:
        The result as Python writes it.

    Raises:
        ScriptError: It is no arithmetic, divides by zero, or leads to a number that is too large.
    """
    if len(script) > MAX_CHARACTERS:
        raise ScriptError(f"a script has up to {MAX_CHARACTERS} characters, not {len(script)}")
    if _ALPHABET.fullmatch(script) is None:
        raise ScriptError("only numbers, + - * / // % ** and parentheses are known here")
    try:
        return str(_number(ast.parse(script.strip(), mode="eval").body))
    except ZeroDivisionError:
        raise ScriptError("this divides by zero") from None
    except OverflowError:
        raise ScriptError("this leads to a number that is too large") from None
    except SyntaxError:
        raise ScriptError("this is no arithmetic; try 40 + 2") from None
    except (RecursionError, MemoryError):
        raise ScriptError("this is nested too deeply") from None


def _number(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value):
            return _bounded(value)
        case ast.UnaryOp(op=op, operand=operand):
            value = _number(operand)
            return -value if isinstance(op, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(_OPERATORS[type(op)](_number(left), _number(right)))
    raise SyntaxError


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


_OPERATORS: dict[type[ast.operator], Callable[[Number, Number], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
