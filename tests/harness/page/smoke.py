"""Runs inside Pyodide: imports circle-ws, and nothing else. Its value is the exit code."""

import sys

import circle_ws


def main() -> int:
    """Print what was imported."""
    print(f"imported {circle_ws.__name__} on Python {sys.version.split()[0]}")
    return 0


main()
