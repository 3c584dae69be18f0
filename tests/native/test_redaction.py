"""The watch for secrets sees them, so that its silence means something."""

import re
import subprocess
import sys

import pytest

from tests.support.limits import PATIENCE
from tests.support.redaction import Secrets, Watch
from tools import CHECKOUT

_KEY = bytes.fromhex("c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4")
_SIGNATURE = "4d" + "5e6f" * 32


def test_every_sample_is_seen() -> None:
    """Each test that tells a secret fails, in itself; those that tell none pass."""
    done = _run("telling")
    assert done.returncode == 1, done.stdout
    told = set(re.findall(r"^ERROR \S+::(\w+)", done.stdout, re.MULTILINE))
    names = set(re.findall(r"^(?:async )?def (test_\w+)", _source(), re.MULTILINE))
    quiet = {"test_quiet", "test_quiet_at_the_end"}
    if sys.version_info < (3, 12):
        quiet.add("test_a_cause_holds_it")
    assert told == names - quiet
    assert f"{len(names)} passed, {len(told)} errors" in done.stdout


def test_what_is_told_too_early_fails_the_session() -> None:
    """A secret that was told in an earlier test than the one that uses it fails the run, though every test passed."""
    done = _run("telling_late")
    assert "2 passed" in done.stdout
    assert "telling_late.py::test_tells tells a private key" in done.stderr
    assert done.returncode == 1


def _run(sample: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/native/samples/{sample}.py"]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=PATIENCE)


def _source() -> str:
    return (CHECKOUT / "tests/native/samples/telling.py").read_text()


@pytest.mark.parametrize(
    "text",
    [
        _KEY.hex(),
        _KEY.hex().upper(),
        f"x0x{_KEY.hex()}y",
        f"'{_KEY.hex()[:32]}'",
        _KEY.hex()[32:],
        repr(_KEY),
        repr([_KEY]),
        repr(list(_KEY)),
        repr((1, *_KEY))[4:-1],
        str(int.from_bytes(_KEY, "big")),
        "yF7315aR/nlXOxpwZMGcGpgZ69vR+qqxqOySNEQ4qvQ=",
        _SIGNATURE,
        _SIGNATURE[:64],
        "nonce_1234",
        f"({b'nonce_1234'!r},)",
        b"nonce_1234".hex(),
    ],
)
def test_each_form_is_found(text: str) -> None:
    """Whole or by halves, in either case, as hex, numbers, bytes or base64."""
    secrets = Secrets()
    assert secrets.find(text) == set()
    secrets.learn_key(_KEY)
    secrets.learn_signature(_SIGNATURE)
    secrets.learn_nonce("nonce_1234")
    assert secrets.find(text)
    assert secrets.find(f"something else, {text} and more")


def test_what_is_no_secret() -> None:
    """Zeros are none, nor what only begins like one."""
    secrets = Secrets()
    secrets.learn_key((1).to_bytes(32, "big"))
    secrets.learn_nonce("0" * 64)
    secrets.learn_key(_KEY)
    for text in ("0" * 64, _KEY.hex()[:31], "", "nonce", "1"):
        assert secrets.find(text) == set()


def test_what_is_learnt_later_is_found_at_the_end() -> None:
    """A text that was told before its secret was known is found when all are looked through."""
    watch = Watch()
    watch.begin("the test")
    watch.tell("a log record", f"the key is {_KEY.hex()}")
    assert watch.problems() == []
    assert watch.problems_of_all() == []
    watch.secrets.learn_key(_KEY)
    assert "a log record, in the test tells a private key" in watch.problems_of_all()[0]
    watch.begin("another")
    assert watch.problems() == []
    assert watch.problems_of_all()
