"""What makes one suite run in both runtimes; `tests/conftest.py` registers it."""
