"""One person at an installation's one origin, as existing frontends talk to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

# A studio test run is answered when it has ended.
ANSWER_SECONDS = 180.0


class CallFailed(RuntimeError):
    """A call was refused, or nobody answered; `status` is None then."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same call may meet better luck in a moment."""
        return self.status is None or self.status >= 500


class Caller:
    """Calls with one ID token, or without one."""

    def __init__(self, base: str, token: str = "") -> None:
        self._base = base
        self._session = requests.Session()
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Whatever is answered. Raises CallFailed if nothing is."""
        try:
            return self._session.request(
                method, self._base + path, json=body, headers=headers, timeout=ANSWER_SECONDS
            )
        except requests.RequestException as error:
            raise CallFailed(f"{method} {path}: no answer ({type(error).__name__})") from error

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The data of a good answer; None where it has no body. Raises CallFailed."""
        response = self.ask(method, path, body, headers=headers)
        if not response.ok:
            raise CallFailed(
                f"{method} {path}: {response.status_code} {response.text[:300]}",
                response.status_code,
            )
        return response.json()["data"] if response.content else None
