"""Run a pytest suite inside Pyodide: `python -m circle_ws.testing.pyodide chromium|firefox|node [pytest arguments]`.

The page loads Pyodide, the wheels and the files of the project from this machine, and streams pytest's own output back.
"""
