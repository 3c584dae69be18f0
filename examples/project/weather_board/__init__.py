"""Shows the weather that a circle tells of: asks for what is known, then listens for what changes."""

from .board import Board, Reading

__all__ = ["Board", "Reading"]
