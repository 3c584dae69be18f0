"""Fuzzing targets: each module has a function `one_input(data)` that raises when something is wrong.

`tests/native/test_fuzz.py` runs each over its corpus, and `python -m fuzz TARGET` goes on from there with atheris.
"""

TARGETS = ("circle", "inbound", "opening", "sign_in", "urls")
