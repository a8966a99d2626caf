"""Refusals in Stripe's error form."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]


class Refused(Exception):
    """An answer other than success: HTTP `status` and the fields of its error object."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",  # noqa: A002 - Stripe's own name
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._error = {
            "type": type,
            "message": message,
            "code": code,
            "param": param,
            "decline_code": decline_code,
        }

    def document(self) -> JSON:
        """The body of the answer; fields without a value are left out, as Stripe does."""
        error = {name: value for name, value in self._error.items() if value is not None}
        if code := error.get("code"):
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{str(code).replace('_', '-')}"
        return {"error": error}


def no_such(kind: str, id: str, *, param: str = "id", status: int = 404) -> Refused:  # noqa: A002
    """The object does not exist: 404 when the path named it, 400 when a parameter did."""
    return Refused(f"No such {kind}: '{id}'", status=status, code="resource_missing", param=param)


def out_of_reach(account: str) -> Refused:
    """An account that the key does not open: unknown, or not the platform's any more."""
    return Refused(
        f"The provided key does not have access to account '{account}' (or that account does not "
        "exist). Application access may have been revoked.",
        status=403,
        code="account_invalid",
    )


def unmet(message: str, code: str, param: str) -> Refused:
    """A parameter that may not be what it is."""
    return Refused(message, code=code, param=param)
