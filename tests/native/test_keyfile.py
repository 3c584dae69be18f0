"""Keys at rest: encrypted, for their owner alone, and readable by others' tools."""

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from circle_ws import ConfigError, InvalidKey, KeyPair, UnsupportedRuntime
from circle_ws.auth.keyfile import is_encrypted
from circle_ws.auth.wallet import Eip1193Signer
from tests.support.clients import KEY
from tests.support.frames import recorded

PASSWORD = "correct horse battery staple"

WRITTEN_BEFORE = """\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBDyPiWUsjfiv5Ih4eY4
Q3khAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQTxVxPgHuA5jyNZmc
OQQBMASBkNrfr1vvaxxso8o2WuOkkP+3mCa0Bklc69N53Qj/GN1QFHyHT2KUC/bc
LUmsXdW9ANml2aLLhSVhucwn43z2CyrdLShaE6Mza45FIAm4W8XzLwYxNFjeFcFO
AAMGMYgvSweZ36FJ7+VLRIBqcVy4Dg0zOH6Xu+FSfb5u8AYC/XLpeYlILH5cuzch
M3nzt1L/dw==
-----END ENCRYPTED PRIVATE KEY-----
"""
"""As earlier versions wrote it, with the password "x"."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file, which takes its time to be written."""
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    KeyPair(KEY).to_file(path, PASSWORD)
    return path


@pytest.fixture
def written(tmp_path: Path, original: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copy2(original, tmp_path))


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


def test_passwords_are_costly_to_guess(written: Path) -> None:
    """They go through scrypt with N = 2^14, r = 8, p = 5 and a salt of 16 bytes, a fresh one in every file."""
    parsed = openssl("asn1parse", "-in", written)
    assert "scrypt" in parsed
    assert "aes-256-cbc" in parsed
    numbers = [line.rpartition(":")[2].strip() for line in parsed.splitlines() if "INTEGER" in line]
    assert numbers == ["4000", "08", "05"]
    texts = [line.rpartition(":")[2].strip() for line in parsed.splitlines() if "OCTET STRING" in line]
    assert len(texts[0]) == 32
    other = written.with_name("other.pem")
    KeyPair(KEY).to_file(other, PASSWORD)
    assert texts[0] not in openssl("asn1parse", "-in", other)


def test_openssl_reads_ours_from_another_family(written: Path) -> None:
    """Its general command, too, within the memory that it allows."""
    assert "secp256k1" in openssl("pkey", "-in", written, "-passin", f"pass:{PASSWORD}", "-noout", "-text")


def test_files_written_before_are_read(tmp_path: Path) -> None:
    """Those with fewer rounds and a shorter password than a new one may have."""
    path = tmp_path / "before.pem"
    path.write_text(WRITTEN_BEFORE)
    path.chmod(0o600)
    assert KeyPair.from_file(path, "x").public_key == KeyPair(KEY).public_key


@pytest.mark.parametrize("password", ["1234567", b"1234567", "\N{SNOWMAN}" * 7, " "], ids=repr)
def test_a_short_password_is_refused(tmp_path: Path, password: Any) -> None:
    """Eight characters are the least; nothing is written."""
    with pytest.raises(ConfigError, match="^a key file needs a password of 8 characters or more$") as caught:
        KeyPair(KEY).to_file(tmp_path / "new.pem", password)
    assert caught.value.option == "password"
    assert list(tmp_path.iterdir()) == []
    KeyPair(KEY).to_file(tmp_path / "new.pem", "\N{SNOWMAN}2345678")


@pytest.mark.parametrize("password", ["abcdefg\udcff", "\ud800" * 8, ["abcdefgh"] * 8, None, 12345678], ids=repr)
def test_a_password_that_cannot_be_encoded(tmp_path: Path, password: Any) -> None:
    """It is an error of ours, in whose frames neither it nor the key stands; nothing is written."""
    with pytest.raises(
        ConfigError, match="^the password of a key file is bytes, or a str without lone surrogates$"
    ) as caught:
        KeyPair(KEY).to_file(tmp_path / "new.pem", password)
    assert caught.value.option == "password"
    assert list(tmp_path.iterdir()) == []
    for secret in ("abcdefg", "12345678", KEY, str(int(KEY, 16)), repr(bytes.fromhex(KEY)[:5])[2:-1]):
        assert secret not in recorded(caught.value)


def test_no_file_has_a_password_that_cannot_be_encoded(written: Path) -> None:
    """Where a file is read it is a wrong one."""
    with pytest.raises(InvalidKey, match="password is wrong") as caught:
        KeyPair.from_file(written, "abcdefg\udcff")
    assert "abcdefg" not in recorded(caught.value)


@pytest.mark.parametrize("text", [KEY, f"0x{KEY.upper()}\n", f"  {KEY}  \n\n"], ids=["alone", "0x", "spaces"])
@pytest.mark.parametrize("password", [None, "", b""], ids=repr)
def test_a_key_as_hex_is_read(tmp_path: Path, text: str, password: Any) -> None:
    """As `circle-ws keygen --out` writes it: no password, the same rules for who may read it."""
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    assert KeyPair.from_file(path, password).public_key == KeyPair(KEY).public_key
    assert KeyPair.from_file(str(path)).public_key == KeyPair(KEY).public_key
    path.chmod(0o644)
    with pytest.raises(InvalidKey, match="chmod 600"):
        KeyPair.from_file(path)


def test_a_password_for_what_is_not_encrypted(tmp_path: Path) -> None:
    """It is refused: the caller believes that the file is encrypted."""
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(0o600)
    with pytest.raises(InvalidKey) as caught:
        KeyPair.from_file(path, PASSWORD)
    assert str(caught.value) == (
        f"{path}: the password is wrong, or this is no encrypted PKCS#8 key file; "
        "this key is not encrypted; omit the password, or write the key again with a password"
    )
    assert not {KEY, PASSWORD} & set(recorded(caught.value).split())


@pytest.mark.parametrize("text", ["", "hello", KEY[:-1], "zz" * 32, "0" * 64, "\xff" * 64], ids=range(6))
def test_what_is_no_key_as_hex(tmp_path: Path, text: str) -> None:
    """It is told what a key looks like, and the text is not repeated."""
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidKey) as caught:
        KeyPair.from_file(path)
    words = str(caught.value).removeprefix(f"{path}: ")
    if text.isascii():
        with pytest.raises(InvalidKey, match=f"^{re.escape(words)}$"):
            KeyPair(text)
    else:
        assert words == "a private key is 64 hex characters"
    assert not text or text not in recorded(caught.value)


def test_whether_a_file_needs_a_password(written: Path, tmp_path: Path) -> None:
    """An encrypted one does, a key as hex does not; asking follows the rules of reading."""
    plain = tmp_path / "plain"
    plain.write_text(KEY)
    plain.chmod(0o600)
    assert is_encrypted(written)
    assert not is_encrypted(plain)
    plain.chmod(0o644)
    with pytest.raises(InvalidKey, match="chmod 600"):
        is_encrypted(plain)
    with pytest.raises(FileNotFoundError, match="looks like a key") as caught:
        is_encrypted(KEY)
    assert KEY not in recorded(caught.value)


def test_a_file_of_another_user_is_refused(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encrypted or not, also for root: who owns it may have put it there, and may change it."""
    plain = written.with_name("plain")
    plain.write_text(KEY)
    plain.chmod(0o600)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    for path, password in ((written, PASSWORD), (plain, None)):
        with pytest.raises(InvalidKey, match="another user"):
            KeyPair.from_file(path, password)
    monkeypatch.undo()
    if own == 0:
        os.chown(plain, 12345, -1)
        with pytest.raises(InvalidKey, match=r"another user \(uid 12345\)"):
            KeyPair.from_file(plain)


def test_a_link_to_a_file_of_ones_own_is_fine(written: Path) -> None:
    """What is looked at is what is read."""
    link = written.with_name("link")
    link.symlink_to(written)
    assert KeyPair.from_file(link, PASSWORD).public_key == KeyPair(KEY).public_key


@pytest.mark.parametrize(
    "typed",
    [
        KEY,
        f"0x{KEY}",
        KEY.upper(),
        KEY[:-1],
        KEY + "a",
        KEY[:40],
        f" {KEY}\n",
        bytes.fromhex(KEY),
        KEY.replace("e", "g"),
    ],
    ids=range(9),
)
def test_a_key_in_the_place_of_a_file(typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no error, and in no frame of one: not in the words, the arguments, the file name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="looks like a key") as caught:
        KeyPair.from_file(typed, PASSWORD)
    assert caught.value.filename is None
    assert caught.value.errno == errno.ENOENT
    assert str(caught.value.strerror).startswith(f"{os.strerror(errno.ENOENT)}: ")
    for secret in (
        KEY[:20],
        KEY[:20].upper(),
        KEY[:20].replace("e", "g"),
        repr(bytes.fromhex(KEY)[:5])[2:-1],
        PASSWORD,
    ):
        assert secret not in recorded(caught.value)
    assert os.listdir() == []


@pytest.mark.parametrize("typed", [KEY, f"0x{KEY.upper()}", bytes.fromhex(KEY), KEY + "a"], ids=range(4))
def test_a_key_in_the_place_of_a_new_file(typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is named after a key."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="looks like a private key") as caught:
        KeyPair.generate().to_file(typed, PASSWORD)
    assert str(caught.value) == (
        "what was given as the path of a key file looks like a private key; nothing was written "
        "(a name with an extension, as in .pem, does not)"
    )
    assert KEY[:20] not in recorded(caught.value).lower()
    assert os.listdir() == []


@pytest.mark.parametrize("name", ["key", "my_production_circle_key_for_this_service", "k" * 40, "a" * 20 + ".pem"])
def test_an_ordinary_name_is_told(tmp_path: Path, name: str) -> None:
    """Errors about other files name them."""
    with pytest.raises(FileNotFoundError, match=name):
        KeyPair.from_file(tmp_path / name)
    (tmp_path / name).write_text("no key")
    (tmp_path / name).chmod(0o600)
    with pytest.raises(InvalidKey, match=name):
        KeyPair.from_file(tmp_path / name)


@pytest.mark.parametrize("password", ["letmein-letmein", b"letmein-letmein", None])
def test_no_frame_holds_a_password(written: Path, tmp_path: Path, password: Any) -> None:
    """A wrong one is as good as a right one: people mistype. So is the key, where writing fails."""
    with pytest.raises((InvalidKey, ConfigError)) as read:
        KeyPair.from_file(written, password)
    with pytest.raises(OSError, match=r".") as wrote:
        KeyPair(KEY).to_file(tmp_path / "absent" / "new.pem", PASSWORD)
    for error in (read.value, wrote.value):
        for secret in (PASSWORD, "letmein", KEY, repr(bytes.fromhex(KEY)[:5])[2:-1], "BEGIN"):
            assert secret not in recorded(error)


@pytest.mark.parametrize("missing", ["Crypto.IO", "cryptography.hazmat.primitives"])
def test_what_encryption_needs_is_told(
    written: Path, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra an encrypted file is neither read nor written."""
    monkeypatch.setitem(sys.modules, missing, None)
    for use in (
        lambda: KeyPair.from_file(written, PASSWORD),
        lambda: KeyPair(KEY).to_file(tmp_path / "new.pem", PASSWORD),
    ):
        with pytest.raises(ConfigError) as caught:
            use()
        assert str(caught.value) == (
            "encrypted key files need a package more: pip install 'circle-ws[keyfile]'; "
            "a page keeps no key files, use a wallet there"
        )
        assert caught.value.option == "password"
    assert not (tmp_path / "new.pem").exists()


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
    with pytest.raises(InvalidKey) as caught:
        KeyPair.from_file(written, PASSWORD)
    assert str(caught.value) == (
        f"{written} can be read or changed by others (mode {mode:04o}); run: chmod 600 {written}"
    )


def test_a_stricter_mode_is_fine(written: Path) -> None:
    """0400 is stricter than needed."""
    written.chmod(0o400)
    assert KeyPair.from_file(written, PASSWORD).public_key == KeyPair(KEY).public_key


@pytest.mark.parametrize("password", ["letmein", PASSWORD.upper()])
def test_a_wrong_password_is_told(written: Path, password: str) -> None:
    """Nothing of the file or the password is in the message."""
    with pytest.raises(InvalidKey) as caught:
        KeyPair.from_file(written, password)
    assert str(caught.value) == f"{written}: the password is wrong, or this is no encrypted PKCS#8 key file"
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("password", ["", b""])
def test_an_empty_password_is_refused(written: Path, tmp_path: Path, password: Any) -> None:
    """An empty password would be no encryption."""
    with pytest.raises(ConfigError, match="password"):
        KeyPair(KEY).to_file(tmp_path / "new.pem", password)
    with pytest.raises(ConfigError) as caught:
        KeyPair.from_file(written, password)
    assert (str(caught.value), caught.value.option) == (f"{written} is encrypted and needs its password", "password")
    assert not (tmp_path / "new.pem").exists()


@pytest.mark.parametrize("curve", ["prime256v1", "prime239v1", "rsa"])
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
    with pytest.raises(InvalidKey) as caught:
        KeyPair.from_file(path, PASSWORD)
    words = (
        ": its kind of key or of encryption is not supported; a key of secp256k1 is needed"
        if curve == "prime239v1"
        else " holds a key, but not one of secp256k1"
    )
    assert str(caught.value) == f"{path}{words}"


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
