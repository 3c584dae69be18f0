"""What type checkers make of the public calls; mypy and pyright read these files, nothing runs them.

A line that must be an error says so in a comment, which both checkers report when it is not needed.
"""
