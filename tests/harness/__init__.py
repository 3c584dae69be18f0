"""Runs this repository's suite inside Pyodide, in Chromium, Firefox and Node, against servers on this machine.

`python -m tests.harness chromium [pytest arguments]`; see `__main__`. `circle_ws.testing.pyodide` does the work.
"""
