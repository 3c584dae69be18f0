"""How long a test waits for what comes at once on a quiet machine: one that is ten times as busy is no failure."""

__all__ = ["DIALLED", "PATIENCE", "SOON"]

PATIENCE = 300.0
"""For a program that a test runs, in seconds: it is there to tell a hang."""

DIALLED = 2.0
"""Where a limit is to run out, but not before a connection is open, signed in or told something, in seconds."""

SOON = 5.0
"""What happens at once, and not when the next time of the client is over, takes less, in seconds."""
