"""The yardstick: the least that a functions-framework function can do."""

from flask import Request


def empty(_request: Request) -> str:
    """Answers a word."""
    return "ok"
