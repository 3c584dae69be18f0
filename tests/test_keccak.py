"""Both Keccak-256, our own and the chosen one, against published digests, and at the edges of their blocks."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from circle_ws.auth import backend, keccak


@pytest.fixture(params=["ours", "chosen"])
def keccak_256(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    """Return our own implementation, and the one that this runtime uses."""
    return keccak.keccak_256 if request.param == "ours" else backend.keccak_256


_PUBLISHED = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    b"abc": "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
    b"hello": "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8",
    b"testing": "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02",
    b"The quick brown fox jumps over the lazy dog": "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15",
    b"The quick brown fox jumps over the lazy dog.": "578951e24efd62a3d63a86f7cd19aaa53c898fe287d2552133220370240b572d",
    b"transfer(address,uint256)": "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b",
}

_LENGTHS = {
    1: "3ac225168df54212a25c1c01fd35bebfea408fdac2e31ddd6f80a4bbf9a5f1cb",
    7: "99db6a1b9f80d230b0f148af10e8d6e186bbb5492bbd22f58d93318b93fd8039",
    8: "a6eb2a81043a7349b2d066b3433ceadd8dd290343e6c41a4e36e82261e0b25cb",
    32: "47a01324181e85459310f8fb9b24dc09744323ebdcef26cbf98959effdc76e02",
    134: "e5de5653994e2fa6729d329b65b5f332dee942a7ea54515e173824c232a4ff91",
    135: "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446",
    136: "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e",
    137: "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39",
    200: "96ea54061def936c4be90b518992fdc6f12f535068a256229aca54267b4d084d",
    271: "132f47effd6c8b1b299efa53fe68aece77ec8ae4eb2e294f668eec94f76001e1",
    272: "cf7fcd4f705ee749930d19ca84561a9bf62516bd90a471545fa2f49fdc7e63c8",
    273: "5a7b8187d2778e614097fac3097573de1fee4d972304d3360796a857029bb176",
    1000: "b6a4ac1f51884d71f30fa397a5e155de3099e11fc0edef5d08b646e621e19de9",
}
"""Of so many letters "a", by pycryptodome. A block has 136 bytes."""


@pytest.mark.parametrize("message", _PUBLISHED, ids=repr)
def test_published_digests(keccak_256: Callable[[bytes], bytes], message: bytes) -> None:
    """Well-known messages have their well-known digests."""
    assert keccak_256(message).hex() == _PUBLISHED[message]


@pytest.mark.parametrize("length", _LENGTHS)
def test_edges_of_blocks(keccak_256: Callable[[bytes], bytes], length: int) -> None:
    """Messages that end just before, at and just after the end of a block are padded rightly."""
    assert keccak_256(b"a" * length).hex() == _LENGTHS[length]


def test_it_is_not_sha3(keccak_256: Callable[[bytes], bytes]) -> None:
    """The padding is the original one: hashlib's SHA3-256 gives another digest."""
    assert keccak_256(b"abc") != hashlib.sha3_256(b"abc").digest()


def test_personal_sign_digests(keccak_256: Callable[[bytes], bytes], vectors: Path) -> None:
    """The hashes that Ethereum libraries publish for `personal_sign` come out."""
    cases = json.loads((vectors / "eip191" / "personal_sign.json").read_text())["vectors"]
    hashed = [case for case in cases if "message_hash" in case]
    assert len(hashed) == 11
    for case in hashed:
        message = bytes.fromhex(case["message_hex"])
        if "ethereumjs" in case["source"]:
            # Published for a lower-case w, which the file has in upper case.
            message = b"Hello world"
        prefix = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode()
        assert keccak_256(prefix + message).hex() == case["message_hash"], case["source"]
