"""The vectors that this project added are what two other libraries make of the given keys and nonces."""

import json

from tests.native.make_vectors import FILE, make


def test_they_are_made_anew_byte_by_byte() -> None:
    """libsecp256k1 and python-ecdsa agree on every signature of the file, and the file is what the script writes."""
    made = make()
    assert len(made["vectors"]) == 18
    assert FILE.read_text() == json.dumps(made, indent=1) + "\n"
