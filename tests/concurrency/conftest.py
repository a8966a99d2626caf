"""Tests here move credits: the books are checked after each."""

from tests.books import in_order, owner, steps

__all__ = ["in_order", "owner", "steps"]
