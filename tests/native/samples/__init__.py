"""Tests that go wrong on purpose; `test_runner.py` runs them by name and expects just that."""
