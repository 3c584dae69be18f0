"""The table of docs/reliability.md, row by row, against real sockets; `rows.py` lists the rows."""
