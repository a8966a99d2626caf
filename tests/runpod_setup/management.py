"""RunPod's management API for tests: each request and each answer is held against its document.

The document is what tests/specs keeps of RunPod's own OpenAPI.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.specs import RUNPOD, spec

JSON = dict[str, Any]
KEY = "rpa_management"


def complaints(schema: JSON, value: Any) -> list[str]:
    """What the document has against a value."""
    validator = Draft202012Validator({**schema, "components": spec(RUNPOD)["components"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def operation(method: str, path: str) -> JSON:
    """The document's operation for a request; fails when it has none."""
    for template, item in spec(RUNPOD)["paths"].items():
        pattern = re.sub(r"\{\w+\}", r"[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in item:
            found: JSON = item[method.lower()]
            return found
    raise AssertionError(f"RunPod's document has no {method} {path}")


class Management:
    """An account with endpoints. `refuse` answers every change with that status."""

    def __init__(self) -> None:
        self.endpoints: dict[str, JSON] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.wrong: list[str] = []
        self.refuse: int | None = None
        self.ended_after_create = False

    @property
    def changes(self) -> list[tuple[str, str, Any]]:
        return [each for each in self.asked if each[0] != "GET"]

    def answer(self, request: Request) -> Response:
        body = request.get_json() if request.data else None
        self.asked.append((request.method, request.path, body))
        expected = operation(request.method, request.path)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return self._told(expected, 401, _problem(401, "Unauthorized"))
        if "requestBody" in expected:
            schema = expected["requestBody"]["content"]["application/json"]["schema"]
            if found := complaints(schema, body):
                self.wrong += found
                return self._told(expected, 422, _problem(422, "invalid") | {"errors": found})
        if self.refuse and request.method != "GET":
            return self._told(expected, self.refuse, _problem(self.refuse, "not now"))
        status, content = self._done(request, body)
        if self.ended_after_create and status == 201:
            return Response("", 502)
        return self._told(expected, status, content)

    def _done(self, request: Request, body: Any) -> tuple[int, JSON]:
        if request.path == "/v2/catalog/gpus":
            return 200, {"gpus": [_gpu("AMPERE_24"), _gpu("AMPERE_48"), _gpu(None)]}
        if request.method == "POST":
            return 201, self.add(body)
        if request.method == "PATCH":
            present = self.endpoints[request.path.rpartition("/")[2]]
            changed = present | body
            changed["gpu"] = present["gpu"] | body.get("gpu", {})
            present.update(changed)
            return 200, present
        return 200, {"endpoints": list(self.endpoints.values())}

    def add(self, body: JSON) -> JSON:
        """An endpoint as RunPod keeps it; the name is marked as RunPod does with FlashBoot."""
        endpoint_id = f"ep{len(self.endpoints)}x"
        mark = " -fb" if body["flashboot"] == "FLASHBOOT" else ""
        self.endpoints[endpoint_id] = {
            **{
                "args": "",
                "ports": [],
                "registry": None,
                "dataCenterIds": [],
                "networkVolumes": [],
            },
            **body,
            "name": body["name"] + mark,
            "id": endpoint_id,
            "gpu": {"allowedCudaVersions": [], "minCudaVersion": None, **body["gpu"]},
            "createdAt": "2026-11-27T12:00:00Z",
        }
        return self.endpoints[endpoint_id]

    def _told(self, expected: JSON, status: int, content: JSON) -> Response:
        """An answer as the document has it; our own stand-in must not invent any."""
        described = expected["responses"].get(str(status), expected["responses"]["default"])
        while "$ref" in described:
            described = spec(RUNPOD)["components"]["responses"][
                described["$ref"].rpartition("/")[2]
            ]
        kind, form = next(iter(described["content"].items()))
        found = complaints(form["schema"], content)
        assert not found, found
        return Response(json.dumps(content), status, content_type=kind)


def _problem(status: int, detail: str) -> JSON:
    return {"title": "Refused", "status": status, "detail": detail}


def _gpu(pool: str | None) -> JSON:
    return {
        "id": f"GPU of {pool}",
        "name": "GPU",
        "pool": pool,
        "manufacturer": "NVIDIA",
        "memory": 24,
        "secure": True,
        "community": False,
        "price": {"secure": 0.4, "community": 0.3},
        "maxCount": {"secure": 8, "community": 4},
    }


@contextmanager
def serving(account: Management) -> Iterator[str]:
    """The account at an address of this machine."""
    server = make_server("127.0.0.1", 0, Request.application(account.answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
