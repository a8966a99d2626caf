"""RunPod's endpoints by its management API (runpod.md 3.2): what they are set to, and changing it.

An endpoint that we made carries in its environment how many workers it is meant to have at most.
RunPod lowers that number by itself when nobody comes, and nothing else there remembers it.
"""

from dataclasses import dataclass
from typing import Any

from common.boundary import assert_no_session
from common.gateways.errors import GatewayError

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 20.0
MEANT_WORKERS = "TARSIFY_MAX_WORKERS"
JSON = dict[str, Any]


class EndpointsUnavailable(GatewayError):
    """RunPod did not answer, or not in a form that can be read. A change may have been made."""


class EndpointsRefused(GatewayError):
    """RunPod refused; the message is its own, for operators only."""


@dataclass(frozen=True)
class Workers:
    """How many workers an endpoint may have, and how many it is meant to; None: nobody said."""

    endpoint_id: str
    most: int
    meant: int | None
    present: JSON


class RunPodEndpoints:
    """Lists, makes and changes endpoints; deletes none."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base_url, self._key = base_url.rstrip("/"), api_key

    def all(self) -> list[JSON]:
        """Every endpoint of the account. Raises EndpointsUnavailable, EndpointsRefused."""
        return _list(self._call("GET", "/serverless"), "endpoints")

    def workers(self) -> list[Workers]:
        """The workers of every endpoint. Raises EndpointsUnavailable, EndpointsRefused."""
        return [_workers(each) for each in self.all()]

    def pools(self) -> set[str]:
        """The names of the GPU pools. Raises EndpointsUnavailable, EndpointsRefused."""
        gpus = _list(self._call("GET", "/catalog/gpus"), "gpus")
        return {str(gpu["pool"]) for gpu in gpus if gpu.get("pool")}

    def create(self, wanted: JSON) -> str:
        """Makes an endpoint; answers its id. Never repeated here: RunPod knows no idempotency key.

        Raises EndpointsUnavailable (then it may exist), EndpointsRefused.
        """
        made = self._call("POST", "/serverless", wanted).get("id")
        if not isinstance(made, str) or not made:
            raise EndpointsUnavailable("an endpoint without an id")
        return made

    def change(self, endpoint_id: str, changes: JSON) -> None:
        """Sets the given fields. Raises EndpointsUnavailable, EndpointsRefused."""
        self._call("PATCH", f"/serverless/{endpoint_id}", changes)

    def give_back(self, workers: Workers) -> None:
        """Sets the most that an endpoint may have to what is meant; the rest stays as it is.

        Raises EndpointsUnavailable, EndpointsRefused.
        """
        wanted = {**workers.present, "max": workers.meant}
        self.change(workers.endpoint_id, {"workers": wanted})

    def _call(self, method: str, path: str, body: JSON | None = None) -> JSON:
        assert_no_session()
        import requests

        try:
            answer = requests.request(
                method,
                self._base_url + path,
                json=body,
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
            )
            content = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise EndpointsUnavailable(type(error).__name__) from error
        if not isinstance(content, dict) or answer.status_code >= 500:
            raise EndpointsUnavailable(f"HTTP {answer.status_code}")
        if not answer.ok:
            raise EndpointsRefused(_told(answer.status_code, content))
        return content


def _told(status: int, problem: JSON) -> str:
    """`422: what is wrong; and what else`."""
    errors = problem.get("errors")
    parts = [problem.get("detail", "refused"), *(errors if isinstance(errors, list) else [])]
    return f"{status}: {'; '.join(map(str, parts))}"


def _list(content: JSON, name: str) -> list[JSON]:
    found = content.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise EndpointsUnavailable(f"an answer without {name}")
    return found


def _workers(endpoint: JSON) -> Workers:
    meant = (endpoint.get("env") or {}).get(MEANT_WORKERS, "")
    try:
        present = dict(endpoint["workers"])
        known = int(meant) if meant.isdecimal() else None
        return Workers(str(endpoint["id"]), int(present["max"]), known, present)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EndpointsUnavailable("an endpoint without workers") from error
