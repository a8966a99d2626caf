"""The people who call the functions in tests, and what they can do in one line."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import Client, TestResponse

from common.errors import InvalidToken, WrongProject
from common.gateways.identity import Audience, Identities, Identity
from common.settings import Settings

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "title": "Prompt", "minLength": 1, "maxLength": 2000},
        "width": {"type": "integer", "enum": [512, 768, 1024], "default": 1024},
        "num_inference_steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 30},
        "negative_prompt": {"type": "string", "default": ""},
    },
    "required": ["prompt"],
}


class KnownTokens(Identities):
    """An identity service with a list of tokens: each belongs to one project, as real ones do."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.known: dict[str, tuple[Audience, Identity]] = {}

    def verify(self, token: str, audience: Audience) -> Identity:
        if token not in self.known:
            raise InvalidToken
        project, identity = self.known[token]
        if project != audience:
            raise WrongProject
        return identity


@dataclass
class Api:
    """One function and one caller; `send` answers what came over the wire."""

    client: Client
    prefix: str
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        """Sends the headers of the existing frontend: a JSON content type on every request."""
        sent = {"Content-Type": "application/json", **self.headers, **headers}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body)
        return self.client.open(self.prefix + path, method=method, data=data, headers=sent)

    def ok(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The data of a successful answer."""
        response = self.send(method, path, body)
        assert response.status_code == status, response.text
        return None if status == 204 else response.get_json()["data"]

    def refused(self, method: str, path: str, body: Any = None, *, status: int) -> dict[str, Any]:
        """The error of a refused request."""
        response = self.send(method, path, body)
        assert response.status_code == status, response.text
        error: dict[str, Any] = response.get_json()["error"]
        return error


class People:
    """Makes callers: each has a token of one project and, if registered, an account."""

    def __init__(self, tokens: KnownTokens, clients: Callable[[str], Client]) -> None:
        self._tokens, self._clients = tokens, clients

    def stranger(self, function: str) -> Api:
        """Someone without a token."""
        return Api(self._clients(function), f"/api/{function}")

    def signed_in(self, function: str, uid: str, **claims: Any) -> Api:
        """Someone with a token who is not registered."""
        audience: Audience = "users" if function == "marketplace" else "developers"
        token = f"token-{audience}-{uid}"
        facts = {
            "email": f"{uid}@example.com",
            "email_verified": True,
            "name": uid.title(),
            "picture": None,
            "admin": False,
        }
        self._tokens.known[token] = (audience, Identity(uid=uid, **{**facts, **claims}))
        return Api(self._clients(function), f"/api/{function}", token)

    def developer(self, uid: str = "dora", **claims: Any) -> Api:
        """A registered developer."""
        api = self.signed_in("studio", uid, **claims)
        api.ok("POST", "/auth/register", {"email": f"{uid}@example.com"}, status=201)
        return api

    def consumer(self, uid: str = "carl", **claims: Any) -> Api:
        """A registered consumer."""
        api = self.signed_in("marketplace", uid, **claims)
        api.ok("POST", "/auth/register", {"email": f"{uid}@example.com"}, status=201)
        return api

    def staff(self, uid: str = "stella") -> Api:
        """A member of staff, by claim."""
        return self.signed_in("admin", uid, admin=True)


@dataclass
class Catalogue:
    """What staff registered, and the way to make more."""

    staff: Api
    numbers: Iterator[int]

    def endpoint(self, **changes: Any) -> dict[str, Any]:
        number = next(self.numbers)
        body = {"runpodEndpointId": f"rp-{number}", "name": "GPU", "gpuType": "A40", **changes}
        made: dict[str, Any] = self.staff.ok("POST", "/endpoints", body, status=201)
        return made

    def base_model(self, **changes: Any) -> dict[str, Any]:
        number = next(self.numbers)
        body = {
            "slug": f"base-{number}",
            "name": f"Base {number}",
            "category": "IMAGE",
            "inputSchema": SCHEMA,
            "outputType": "IMAGE",
            "outputFormat": "png",
            **changes,
        }
        body.setdefault("endpointId", "")
        body["endpointId"] = body["endpointId"] or self.endpoint()["id"]
        made: dict[str, Any] = self.staff.ok("POST", "/base-models", body, status=201)
        return made


@dataclass
class Studio:
    """A developer at work."""

    api: Api
    catalogue: Catalogue
    numbers: Iterator[int]

    def draft(self, **changes: Any) -> dict[str, Any]:
        number = next(self.numbers)
        body = {"title": f"Model {number}", "slug": f"model-{number}", "priceCredits": 5, **changes}
        body.setdefault("baseModelId", None)
        body["baseModelId"] = body["baseModelId"] or self.catalogue.base_model()["id"]
        made: dict[str, Any] = self.api.ok("POST", "/tars-models", body, status=201)
        return made

    def published(self, **changes: Any) -> dict[str, Any]:
        draft = self.draft(**changes)
        path = f"/tars-models/{draft['id']}/publish"
        made: dict[str, Any] = self.api.ok("POST", path, {"action": "publish"})
        return made
