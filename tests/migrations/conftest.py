"""Tests here look at the schema itself, as its owner."""

from tests.books import owner

__all__ = ["owner"]
