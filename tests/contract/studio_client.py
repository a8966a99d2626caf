"""The studio's client as it is: its headers, its retries, and what it reads (contract 6)."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

ORIGIN = "https://studio.tarsify.com"
STATUSES = {"DRAFT", "PUBLISHED", "ARCHIVED"}
CATEGORIES = {"IMAGE", "AUDIO", "TEXT", "VIDEO", "DOCUMENT"}


class Refused(Exception):
    """A non-2xx answer as the client sees it: the message for people, code and status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class StudioClient:
    """One browser tab. `retry` sends each failed call once more, as the query library does."""

    base: str
    token: str | None
    retry: bool = False
    sent: list[str] = field(default_factory=list)

    def get(self, path: str) -> Any:
        return self._send("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self._send("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        return self._send("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self._send("DELETE", path)

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        self._preflight(method, path)
        try:
            return self._once(method, path, body)
        except Refused:
            if not self.retry:
                raise
            return self._once(method, path, body)

    def _headers(self) -> dict[str, str]:
        """Always a JSON content type; no request id, no cookies, no idempotency key."""
        headers = {"Content-Type": "application/json", "Origin": ORIGIN, "Accept": "*/*"}
        return headers | ({"Authorization": f"Bearer {self.token}"} if self.token else {})

    def _preflight(self, method: str, path: str) -> None:
        """The browser's question; without the right answer it would send nothing."""
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        status, headers, _ = exchange(self.base, "OPTIONS", path, asked)
        allowed = headers["access-control-allow-headers"].lower()
        assert status == 204
        assert headers["access-control-allow-origin"] == ORIGIN
        assert method in headers["access-control-allow-methods"]
        assert "authorization" in allowed
        assert "content-type" in allowed

    def _once(self, method: str, path: str, body: Any) -> Any:
        self.sent.append(f"{method} {path}")
        data = json.dumps(body) if body else None
        status, headers, text = exchange(self.base, method, path, self._headers(), data)
        assert headers["access-control-allow-origin"] == ORIGIN, "the browser would hide it"
        return unwrapped(status, text)


def exchange(
    base: str, method: str, path: str, headers: Mapping[str, str], body: str | None = None
) -> tuple[int, dict[str, str], str]:
    """One request with exactly these headers: without a body there is no Content-Length."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.putrequest(method, parts.path + path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        data = None if body is None else body.encode()
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        response = connection.getresponse()
        text = response.read().decode()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, text
    finally:
        connection.close()


def unwrapped(status: int, text: str) -> Any:
    """What the client's functions answer for a response."""
    if not 200 <= status < 300:
        error = json.loads(text)["error"]
        raise Refused(status, error["code"], error["message"])
    if status == 204:
        assert text == ""
        return None
    body = json.loads(text)
    if "data" not in body:
        return body
    if body.get("meta") and isinstance(body["data"], list):
        return {"data": body["data"], "pagination": body["meta"]}
    return body["data"]


def listed(answer: Any) -> list[Any]:
    """The items of a list as its page shows them: without pagination there are none (K3)."""
    return answer["data"] if isinstance(answer, dict) and "pagination" in answer else []


def shown_date(value: str) -> datetime:
    """date-fns' parseISO: throws for anything else, and with it the whole page (K10)."""
    assert value.endswith("Z")
    return datetime.fromisoformat(value.replace("Z", "+00:00"))


def card(model: dict[str, Any]) -> dict[str, Any]:
    """What a model's card and its dialogs read; lookups throw for unknown words (K9)."""
    assert model["status"] in STATUSES
    assert model["baseModel"]["category"] in CATEGORIES
    for name in ("createdAt", "updatedAt"):
        shown_date(model[name])
    assert isinstance(model["priceCredits"], int)
    assert isinstance(model["totalRuns"], int)
    return {
        "title": model["title"],
        "price": f"{model['priceCredits']} credits",
        "runs": f"{model['totalRuns']} runs",
        "status": model["status"],
        "made of": model["baseModel"]["name"],
        "output": model["baseModel"]["outputType"],
    }


def form(model: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """The test form's fields: name, type, required."""
    schema = model["baseModel"]["inputSchema"]
    for name, field_schema in schema["properties"].items():
        yield name, field_schema["type"], name in schema.get("required", [])


_MEDIA_KEYS = {
    "IMAGE": ("image_url", "imageUrl", "url", "image"),
    "TEXT": ("text", "result", "content"),
    "VIDEO": ("video_url", "videoUrl", "video"),
    "AUDIO": ("audio_url", "audioUrl", "audio"),
}


def rendered(run: dict[str, Any], output_type: str) -> tuple[str, Any]:
    """What the test page shows of a run (contract 6.3): the kind of view and its content."""
    if run["status"] == "FAILED" or run.get("error"):
        return "error", run["error"]
    if run["status"] in {"IN_PROGRESS", "IN_QUEUE"}:
        return "spinner", None
    output = run.get("output")
    if not output:
        return "no output", None
    for key in _MEDIA_KEYS.get(output_type, ()):
        if output.get(key):
            return output_type, output[key]
    return "json", output
