"""The tests of circle-ws: one suite, which runs natively and inside Pyodide."""
