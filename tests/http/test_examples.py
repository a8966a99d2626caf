"""Every operation has an example, and each example does what it shows when it is sent."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from common.http.openapi import EXAMPLE_ID, EXAMPLE_SLUG, document
from common.payments import queries as payments
from tests.http.documents import PUBLIC, Installation, one_of_everything
from tests.http.functions import APPS
from tests.security.test_access import a_key, a_webhook
from tests.world import Caller, World

FUNCTIONS = ("marketplace", "studio", "admin")
# What an example can only meet here: a run that has ended already, a purchase that may still be
# paid, no account to be paid to.
REFUSED = {
    ("marketplace", "post", "/runs/{id}/cancel"): 409,
    ("marketplace", "post", "/account/delete"): 409,
    ("studio", "post", "/payouts/request"): 409,
}
# Sent last, and in this order: what they do others would trip over.
LAST = ("/archive", "delete", "/suspend", "/reinstate", "/account/delete")


def operations(function: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation, in an order in which all can be sent."""
    found = [
        (method, path, operation)
        for path, item in document(APPS[function])["paths"].items()
        for method, operation in item.items()
    ]
    yield from sorted(found, key=place)


def place(operation: tuple[str, str, dict[str, Any]]) -> int:
    method, path, _ = operation
    return max(
        (n + 1 for n, what in enumerate(LAST) if method == what or path.endswith(what)), default=0
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_operation_shows_a_command_and_every_body_an_example(function: str) -> None:
    for method, path, operation in operations(function):
        source = operation["x-codeSamples"][0]["source"]
        assert source.startswith(f"curl -X {method.upper()} https://")
        assert "{" not in source.partition(" -d ")[0], path
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], path


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_example_does_what_it_shows(world: World, function: str) -> None:
    installation = one_of_everything(world)
    known = known_ids(installation, function)
    wrong = []
    for method, path, operation in operations(function):
        answer = send(installation, function, (method, path, operation), known)
        expected = REFUSED.get((function, method, path))
        if answer.status_code != expected if expected else not answer.ok:
            wrong.append((method, path, answer.status_code, answer.text[:200]))
    assert wrong == []


def known_ids(installation: Installation, function: str) -> dict[str, str]:
    """What stands for the example's ids here: by parameter, and by kind of path for `id`."""
    world, known = installation.world, dict(installation.known)
    owner = Caller(world.base, installation.tokens.get(function))
    if function != "admin":
        known["/keys/"], known["/webhooks/"] = a_key(function, owner), a_webhook(function, owner)
    consumer = Caller(world.base, installation.tokens["marketplace"])
    report = consumer.ok(
        "POST", f"/api/marketplace/models/{known['slug']}/report", {"reason": "other"}
    )
    (shown,) = world.staff.ok("GET", "/api/admin/reports?state=open")
    known |= {"/reports/": report["id"], "developer_id": shown["developerId"]}
    with world.runtime.db.step() as connection:
        payments.note_difference(
            connection,
            "refund differs",
            "a refund",
            ours=1,
            theirs=2,
            day=None,
            now=world.clock.now(),
        )
    known["/differences/"] = world.staff.ok("GET", "/api/admin/differences")[0]["id"]
    return known


def send(
    installation: Installation,
    function: str,
    operation: tuple[str, str, dict[str, Any]],
    known: dict[str, str],
) -> requests.Response:
    """The example as it stands in the document, with ids that exist."""
    method, path, described = operation
    for parameter in described["parameters"]:
        if parameter["in"] == "path":
            name = parameter["name"]
            value = real_id(installation, path, name, known)
            path = path.replace(f"{{{name}}}", value)
    body = None
    if "requestBody" in described:
        body = real(described["requestBody"]["content"]["application/json"]["example"], known)
    return requests.request(
        method,
        installation.world.base + PUBLIC[function] + path,
        json=body,
        headers=installation.headers(function),
        timeout=60,
    )


def real_id(installation: Installation, path: str, name: str, known: dict[str, str]) -> str:
    """What exists of that kind; `id` is the id of whatever the path is about."""
    if name != "id":
        return known[name]
    for kind, value in known.items():
        if kind.startswith("/") and kind in path:
            return value
    return str(installation.known_value(path, name, EXAMPLE_ID))


def real(body: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """The example's body with the ids and the slug of this installation."""
    ids = {
        "baseModelId": known["base_model_id"],
        "endpointId": known["endpoint_id"],
        "consumerId": known["consumer_id"],
    }
    filled = {name: ids.get(name, value) for name, value in body.items()}
    if filled.get("slug") == EXAMPLE_SLUG:
        filled["slug"] = known["slug"]
    if filled.get("url") == "https://example.com/hooks/tarsify":
        filled["url"] = "https://93.184.216.34/hook"  # no name service is asked here
    return filled
