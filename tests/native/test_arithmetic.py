"""Proves that the demo's language is arithmetic and nothing else, and that no script keeps the circle busy."""

import inspect
import sys
import time
import warnings

import pytest

from circle_ws.cli.demo.arithmetic import MAX_CHARACTERS, ScriptError, evaluate
from tests.support.limits import SOON


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("40 + 2", "42"),
        ("  2*(3+4)\n", "14"),
        ("-2 ** 2", "-4"),
        ("+3 - -4", "7"),
        ("7 // 2", "3"),
        ("-7 % 3", "2"),
        ("7 / 2", "3.5"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("2 ** -1", "0.5"),
        ("2 ** 100", str(2**100)),
        ("1e3 + .5 + 1. + 2.5E-1", "1001.75"),
        ("(1\n+\t2)", "3"),
    ],
)
def test_arithmetic_is_worked_out(script: str, output: str) -> None:
    assert evaluate(script) == output


@pytest.mark.parametrize(
    "script",
    [
        "",
        "40 +",
        "x",
        "'text'",
        "True",
        "None",
        "1j",
        "[1]",
        "1, 2",
        "abs(1)",
        "().__class__",
        "__import__('os')",
        "(lambda: 1)()",
        "1 if 1 else 2",
        "1 and 2",
        "not 1",
        "~1",
        "1 << 2",
        "1 | 2",
        "1 @ 2",
        "1 in 2",
        "1 is 1",
        "1 < 2",
        "1 == 1",
        "0x2a",
        "1_000",
        "e",
        "e(1)",
        "1(2)",
        "1e",
        "1ee1",
        "(1)(2)",
        "1.e.e",
        "x := 1",
        "f'{1}'",
        "1\x00",
        "1\x07",
        "\x1b[31m1",
        "1if 1else 2",
        "1is 1",
        "0x1for x in 2",
        "'\\d'",
        "١ + ١",
        "1\u00a0+ 1",
        "1 # 2",
        "1;2",
        "1\\\n+2",
        "1\n2",
    ],
)
def test_what_is_no_arithmetic_is_refused(script: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ScriptError), warnings.catch_warnings():
        warnings.simplefilter("always")
        evaluate(script)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("1 / 0", "divides by zero"),
        ("1 % 0", "divides by zero"),
        ("0 ** -1", "divides by zero"),
        ("(-8) ** 0.5", "complex"),
        ("9 ** 9 ** 9", "too large"),
        ("2 ** 10 ** 9", "too large"),
        ("(0 - 2) ** 99999", "too large"),
        ("1e999", "too large"),
        ("1e308 * 10", "too large"),
        ("1e308 ** 2", "too large"),
        ("10 ** 1000 / 3", "too large"),
        ("9" * (MAX_CHARACTERS + 1), "characters"),
        ("name", "only numbers"),
    ],
)
def test_the_error_says_why(script: str, words: str) -> None:
    with pytest.raises(ScriptError, match=words):
        evaluate(script)


@pytest.mark.parametrize(
    "script",
    [
        "(" * 240 + "1" + ")" * 240,
        "-" * (MAX_CHARACTERS - 1) + "1",
        "*".join(["9**99"] * 80),
        "**".join(["9"] * 160),
        "(9**999)" + "**9" * 100,
    ],
)
def test_no_script_takes_long(script: str) -> None:
    started = time.perf_counter()
    try:
        output = evaluate(script)
    except ScriptError:
        output = ""
    assert time.perf_counter() - started < SOON
    assert len(output) < 1100


def test_the_largest_whole_number_has_a_thousand_digits() -> None:
    assert len(evaluate("10 ** 999")) == 1000
    with pytest.raises(ScriptError, match="too large"):
        evaluate("10 ** 1000 * 1000")


def test_too_deep_a_script_is_an_error_like_any_other() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        with pytest.raises(ScriptError, match="nested too deeply"):
            evaluate("-" * (MAX_CHARACTERS - 1) + "1")
    finally:
        sys.setrecursionlimit(before)
