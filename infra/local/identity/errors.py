"""Refusals of the Identity Toolkit."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The machine-readable message that Firebase's clients map to their `auth/...` codes."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def document(self) -> dict[str, Any]:
        """The error document."""
        detail = {"message": self.message, "reason": "invalid", "domain": "global"}
        return {"error": {"code": self.status, "message": self.message, "errors": [detail]}}
