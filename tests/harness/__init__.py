"""Runs the suite inside Pyodide, in Chromium, Firefox and Node, against servers on this machine.

`python -m tests.harness chromium [pytest arguments]`; see `__main__`.
"""
