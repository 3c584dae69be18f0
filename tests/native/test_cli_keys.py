"""Proves that keys are made, kept and read as said, and never shown by accident."""

import json
import os
import stat
from pathlib import Path

import pytest

from circle_ws.auth import KeyPair, derive_public_key, generate_private_key
from circle_ws.cli.output import ExitCode
from tests.native.command_line import invoke


def own(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.write_text(text)
    file.chmod(0o600)


def test_keygen_prints_a_key_alone_and_its_public_key_on_stderr() -> None:
    done = invoke("keygen")
    private_key = done.stdout.removesuffix("\n")
    assert len(private_key) == 64
    assert derive_public_key(private_key) in done.stderr
    assert private_key not in done.stderr
    assert done.exit_code == 0


def test_keygen_makes_another_key_each_time() -> None:
    assert invoke("keygen").stdout != invoke("keygen").stdout


def test_keygen_writes_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    file = tmp_path / "key"
    done = invoke("keygen", "--out", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    private_key = file.read_text().strip()
    assert done.stdout == derive_public_key(private_key) + "\n"
    assert private_key not in done.output


def test_keygen_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "key"
    own(file, "precious")
    done = invoke("keygen", "--out", str(file))
    assert (done.exit_code, file.read_text()) == (1, "precious")
    assert "not overwritten" in done.stderr


def test_keygen_says_where_it_cannot_write(tmp_path: Path) -> None:
    done = invoke("keygen", "--out", str(tmp_path / "absent" / "key"))
    assert done.exit_code == 1
    assert "no such file or directory" in done.stderr


@pytest.mark.parametrize(("options", "length"), [((), 130), (("--compressed",), 66)])
def test_pubkey_is_the_same_from_everywhere(tmp_path: Path, options: tuple[str, ...], length: int) -> None:
    private_key = generate_private_key()
    file = tmp_path / "key"
    own(file, f"0x{private_key.upper()}\n")
    public_key = derive_public_key(private_key, compressed=bool(options)) + "\n"
    assert len(public_key) == length + 1
    assert invoke("pubkey", *options, env={"CIRCLE_WS_PRIVATE_KEY": private_key}).stdout == public_key
    assert invoke("pubkey", *options, "--key-file", str(file)).stdout == public_key
    assert invoke("pubkey", *options, "--key-file", "-", stdin=private_key).stdout == public_key


def test_a_file_comes_before_the_environment(tmp_path: Path) -> None:
    private_key = generate_private_key()
    file = tmp_path / "key"
    own(file, private_key)
    done = invoke("pubkey", "--key-file", str(file), env={"CIRCLE_WS_PRIVATE_KEY": generate_private_key()})
    assert done.stdout == derive_public_key(private_key) + "\n"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_without_a_key_pubkey_says_what_to_do(text: str) -> None:
    done = invoke("pubkey", env={"CIRCLE_WS_PRIVATE_KEY": text})
    assert done.exit_code == 2
    assert "CIRCLE_WS_PRIVATE_KEY" in done.stderr
    assert "--key-file" in done.stderr


@pytest.mark.parametrize("text", ["5ec4e7" * 3, "5ec4e7zz" * 8, "0" * 64, "f" * 64, ""])
def test_a_bad_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    own(file, text)
    done = invoke("pubkey", "--key-file", str(file))
    assert done.exit_code == ExitCode.SIGN_IN
    assert "private key" in done.stderr
    assert not text or text not in done.output
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["5ec4e7zz" * 8, "0" * 64])
def test_a_bad_key_of_the_environment_or_stdin_is_refused_without_being_shown(text: str) -> None:
    """It is said where it came from."""
    given = invoke("pubkey", env={"CIRCLE_WS_PRIVATE_KEY": text})
    piped = invoke("pubkey", "--key-file", "-", stdin=text)
    for done, source in ((given, "CIRCLE_WS_PRIVATE_KEY"), (piped, "stdin")):
        assert (done.exit_code, done.stdout) == (ExitCode.SIGN_IN, "")
        assert done.stderr.startswith(f"{source}: ")
        assert (text in done.stderr, done.stderr.count("\n")) == (False, 1)


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    absent = invoke("pubkey", "--key-file", str(tmp_path / "absent"))
    assert (absent.exit_code, "absent" in absent.stderr) == (ExitCode.SIGN_IN, True)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff" * 32)
    binary.chmod(0o600)
    done = invoke("pubkey", "--key-file", str(binary))
    assert (done.exit_code, "64 hex characters" in done.stderr) == (ExitCode.SIGN_IN, True)


def test_an_encrypted_key_file_is_made_and_read(tmp_path: Path) -> None:
    file, env = tmp_path / "key.pem", {"CIRCLE_WS_KEY_PASSWORD": "correct horse"}
    made = invoke("keygen", "--out", str(file), "--encrypt", env=env)
    assert made.exit_code == 0
    assert file.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert invoke("pubkey", "--key-file", str(file), env=env).stdout == made.stdout
    asked = invoke("pubkey", "--key-file", str(file), stdin="correct horse\n")
    assert asked.stdout.endswith(made.stdout)
    assert "correct horse" not in asked.output
    wrong = invoke("pubkey", "--key-file", str(file), env={"CIRCLE_WS_KEY_PASSWORD": "battery"})
    assert wrong.exit_code == ExitCode.SIGN_IN
    assert "password is wrong" in wrong.stderr
    again = invoke("keygen", "--out", str(file), "--encrypt", env=env)
    assert (again.exit_code, "not overwritten" in again.stderr) == (1, True)


def test_what_keygen_writes_the_library_reads(tmp_path: Path) -> None:
    """Encrypted or not, a program reads the file that the command line made."""
    plain, encrypted = tmp_path / "plain", tmp_path / "encrypted"
    made = invoke("keygen", "--out", str(plain)).stdout.strip()
    assert KeyPair.from_file(plain).public_key == made
    env = {"CIRCLE_WS_KEY_PASSWORD": "correct horse"}
    made = invoke("keygen", "--out", str(encrypted), "--encrypt", env=env).stdout.strip()
    assert KeyPair.from_file(encrypted, "correct horse").public_key == made


def test_a_short_password_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    done = invoke("keygen", "--out", str(file), "--encrypt", env={"CIRCLE_WS_KEY_PASSWORD": "1234567"})
    assert (done.exit_code, "8 characters" in done.stderr, file.exists()) == (1, True, False)


def test_a_key_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    own(file, generate_private_key())
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    done = invoke("pubkey", "--key-file", str(file))
    assert (done.exit_code, "another user" in done.stderr) == (ExitCode.SIGN_IN, True)


@pytest.mark.parametrize("mistake", ["", "a", "0x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["pubkey", "--key-file", "KEY"],
        ["pubkey", "--key-file=KEY"],
        ["pubkey", "KEY"],
        ["pubkey", "--keyfile", "KEY"],
        ["KEY"],
        ["keygen", "--out", "KEY"],
        ["keygen", "--encrypt", "--out", "KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "--key-file", "KEY"],
        ["call", "KEY", "f"],
        ["--KEY"],
        ["keygen", "--out", "/nowhere/KEY"],
        ["call", "ws://KEY", "f"],
        ["call", "ws://127.0.0.1:1/", "f", "--profile", "KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "[]", "KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "--header", "KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "--header", "@KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "--proxy", "KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "--ca-file", "KEY"],
        ["call", "ws://127.0.0.1:1/", "f", "--json", "KEY", "KEY"],
        ["bench", "ws://127.0.0.1:1/", "KEY"],
        ["listen", "ws://127.0.0.1:1/", "KEY", "--setup", "KEY"],
    ],
    ids=" ".join,
)
def test_a_key_in_the_wrong_place_is_not_repeated(
    arguments: list[str], mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file, or anything else, is meant: what is said has no part of the key, and no file is named after it."""
    monkeypatch.chdir(tmp_path)
    private_key = generate_private_key()
    typed = mistake + private_key
    done = invoke(*(it.replace("KEY", typed) for it in arguments), env={"CIRCLE_WS_KEY_PASSWORD": "correct horse"})
    assert done.exit_code != 0
    assert private_key[:16] not in done.output.replace("\n", "")
    assert done.output
    assert list(tmp_path.iterdir()) == []


def test_encrypting_needs_a_file() -> None:
    done = invoke("keygen", "--encrypt")
    assert done.exit_code == 2
    assert "--out" in done.stderr


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, encrypted: bool) -> None:
    file, env = tmp_path / "key", {"CIRCLE_WS_KEY_PASSWORD": "correct horse"}
    invoke("keygen", "--out", str(file), *(["--encrypt"] if encrypted else []), env=env)
    file.chmod(0o644)
    done = invoke("pubkey", "--key-file", str(file), env=env)
    assert done.exit_code == ExitCode.SIGN_IN
    assert "chmod 600" in done.stderr


def test_scripts_get_json(tmp_path: Path) -> None:
    """Keys as one object; a failure as one too, with the kind that the exit code has."""
    made = json.loads(invoke("keygen", "--json").stdout)
    assert made["public_key"] == derive_public_key(made["private_key"])
    file = tmp_path / "key"
    done = invoke("keygen", "--out", str(file), "--json")
    kept = json.loads(done.stdout)
    assert kept == {"public_key": KeyPair.from_file(file).public_key, "file": str(file)}
    assert json.loads(invoke("pubkey", "--key-file", str(file), "--json").stdout)["public_key"] == kept["public_key"]
    again = invoke("keygen", "--out", str(file), "--json")
    assert (again.exit_code, again.stderr) == (ExitCode.FAILED, "")
    assert "not overwritten" in json.loads(again.stdout)["error"]["message"]
    absent = invoke("pubkey", "--json")
    assert (absent.exit_code, json.loads(absent.stdout)["error"]["kind"]) == (ExitCode.USAGE, "usage")
