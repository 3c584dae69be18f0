"""Keys at rest: encrypted, for their owner alone, and readable by others' tools."""

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from circle_ws import ConfigError, InvalidKey, KeyPair, UnsupportedRuntime
from circle_ws.auth.wallet import Eip1193Signer
from tests.support.clients import KEY

PASSWORD = "correct horse battery staple"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    KeyPair(KEY).to_file(path, PASSWORD)
    return path


def test_what_is_written_is_read_again(written: Path) -> None:
    """The same key comes back, and only its owner may read the file."""
    assert KeyPair.from_file(written, PASSWORD).public_key == KeyPair(KEY).public_key
    assert KeyPair.from_file(written, PASSWORD.encode()).public_key == KeyPair(KEY).public_key
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_the_key_is_not_in_the_file(written: Path) -> None:
    """It is encrypted PKCS#8, and holds the key neither as hex nor as bytes."""
    text = written.read_bytes()
    assert text.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert KEY.encode() not in text
    assert bytes.fromhex(KEY) not in text


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


def test_openssl_reads_it_and_writes_it(written: Path, tmp_path: Path) -> None:
    """The format is established: another tool reads ours, and we read the other's."""
    text = openssl("ec", "-in", written, "-passin", f"pass:{PASSWORD}", "-noout", "-text")
    assert KEY in "".join(text.split("pub:")[0].split()).replace(":", "")
    plain, other = tmp_path / "plain.pem", tmp_path / "other.pem"
    openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", plain)
    openssl("pkcs8", "-topk8", "-in", plain, "-out", other, "-passout", "pass:other")
    other.chmod(0o600)
    public = openssl("ec", "-in", plain, "-pubout", "-conv_form", "uncompressed", "-outform", "DER", "-text", "-noout")
    key = KeyPair.from_file(other, "other").public_key
    assert key in "".join(public.split("pub:")[1].split()).replace(":", "")


def test_an_existing_file_is_never_overwritten(written: Path) -> None:
    """A key that is lost is lost for good."""
    before = written.read_bytes()
    with pytest.raises(FileExistsError):
        KeyPair.generate().to_file(written, PASSWORD)
    assert written.read_bytes() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_is_refused(written: Path, mode: int) -> None:
    """The message says how to mend it."""
    written.chmod(mode)
    with pytest.raises(InvalidKey, match="chmod 600"):
        KeyPair.from_file(written, PASSWORD)


def test_a_stricter_mode_is_fine(written: Path) -> None:
    """0400 is stricter than needed."""
    written.chmod(0o400)
    assert KeyPair.from_file(written, PASSWORD).public_key == KeyPair(KEY).public_key


@pytest.mark.parametrize("password", ["letmein", PASSWORD.upper()])
def test_a_wrong_password_is_told(written: Path, password: str) -> None:
    """Nothing of the file or the password is in the message."""
    with pytest.raises(InvalidKey, match="password") as caught:
        KeyPair.from_file(written, password)
    assert password not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("password", ["", b""])
def test_an_empty_password_is_refused(written: Path, tmp_path: Path, password: Any) -> None:
    """An empty password would be no encryption."""
    with pytest.raises(ConfigError, match="password"):
        KeyPair(KEY).to_file(tmp_path / "new.pem", password)
    with pytest.raises(ConfigError, match="password"):
        KeyPair.from_file(written, password)
    assert not (tmp_path / "new.pem").exists()


@pytest.mark.parametrize("curve", ["prime256v1", "rsa"])
def test_another_kind_of_key_is_told(tmp_path: Path, curve: str) -> None:
    """Only secp256k1 signs in to circles."""
    path = tmp_path / "other.pem"
    arguments = (
        ("RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        if curve == "rsa"
        else ("EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    )
    openssl("genpkey", "-algorithm", *arguments, "-aes256", "-pass", f"pass:{PASSWORD}", "-out", path)
    path.chmod(0o600)
    with pytest.raises(InvalidKey, match="secp256k1"):
        KeyPair.from_file(path, PASSWORD)


def test_what_is_no_key_file_is_told(tmp_path: Path) -> None:
    """A text file is not taken for a key; a missing one is an OSError as everywhere."""
    path = tmp_path / "text"
    path.write_text("hello")
    path.chmod(0o600)
    with pytest.raises(InvalidKey, match="PKCS#8"):
        KeyPair.from_file(path, PASSWORD)
    with pytest.raises(FileNotFoundError):
        KeyPair.from_file(tmp_path / "nowhere", PASSWORD)


def test_a_wallet_needs_a_page() -> None:
    """Natively the wallet signer says at once where it belongs."""
    with pytest.raises(UnsupportedRuntime, match="page"):
        Eip1193Signer()
