"""How fast circle_ws is inside a page, against raw JavaScript and against what people write by hand in Pyodide."""
