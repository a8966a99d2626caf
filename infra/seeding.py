"""Seeds the catalogue through the admin API; doing it again changes nothing that was edited."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

CATALOGUE = Path(__file__).parent / "catalog.yaml"
TIMEOUT_SECONDS = 30


class SeedError(RuntimeError):
    """The installation refused the seed; the message is its own."""


class Admin:
    """The admin API of one installation."""

    def __init__(self, api: str, token: str) -> None:
        self._base = f"{api.rstrip('/')}/api/admin"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The new object, or None when it was there before. Raises SeedError."""
        response = self._session.post(self._base + path, json=body, timeout=TIMEOUT_SECONDS)
        if response.status_code == 409:
            return None
        made: dict[str, Any] = self._data(response)
        return made

    def all(self, path: str) -> list[dict[str, Any]]:
        """Every object of a list. Raises SeedError."""
        found: list[dict[str, Any]] = []
        while True:
            page = len(found) // 100 + 1
            response = self._session.get(
                self._base + path, params={"page": page, "limit": 100}, timeout=TIMEOUT_SECONDS
            )
            items: list[dict[str, Any]] = self._data(response)
            found += items
            if len(items) < 100:
                return found

    def activate(self, path: str) -> None:
        response = self._session.patch(
            self._base + path, json={"isActive": True}, timeout=TIMEOUT_SECONDS
        )
        self._data(response)

    def _data(self, response: requests.Response) -> Any:
        if not response.ok:
            raise SeedError(f"{response.request.method} {response.url}: {response.text[:300]}")
        return response.json()["data"]


def seed(admin: Admin, environ: Mapping[str, str]) -> dict[str, str]:
    """Registers endpoints whose id is configured, and their base models.

    An existing endpoint is only switched on, an existing base model is left as it is. Answers the
    base models' ids by slug.
    """
    catalogue = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    endpoints = {
        key: _endpoint(admin, entry, environ[entry["env"]])
        for key, entry in catalogue["endpoints"].items()
        if environ.get(entry["env"])
    }
    for entry in catalogue["base_models"]:
        if entry["endpoint"] in endpoints:
            admin.create("/base-models", _base_model(entry, endpoints[entry["endpoint"]]))
    return {model["slug"]: model["id"] for model in admin.all("/base-models")}


def _endpoint(admin: Admin, entry: dict[str, Any], runpod_id: str) -> str:
    body = {
        "runpodEndpointId": runpod_id,
        "name": entry["name"],
        "source": entry["source"],
        "dockerImage": entry["docker_image"],
        "gpuType": entry["gpu_type"],
    }
    made = admin.create("/endpoints", body)
    if made is None:
        made = next(e for e in admin.all("/endpoints") if e["runpodEndpointId"] == runpod_id)
        admin.activate(f"/endpoints/{made['id']}")
    return str(made["id"])


def _base_model(entry: dict[str, Any], endpoint_id: str) -> dict[str, Any]:
    return {
        "endpointId": endpoint_id,
        "slug": entry["slug"],
        "name": entry["name"],
        "description": entry["description"],
        "category": entry["category"],
        "inputSchema": entry["input_schema"],
        "outputType": entry["output_type"],
        "outputFormat": entry["output_format"],
        "outputAdapter": entry["output_adapter"],
        "estimatedSeconds": entry["estimated_seconds"],
        "executionTimeoutSeconds": entry["execution_timeout_seconds"],
        "gpuClass": entry["gpu_class"],
        "minimumPriceCredits": entry["min_price_credits"],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="infra/seed", description=__doc__)
    parser.add_argument("--api", required=True, help="origin of the installation")
    parser.add_argument("--token", required=True, help="ID token of a member of staff")
    options = parser.parse_args()
    try:
        models = seed(Admin(options.api, options.token), os.environ)
    except (SeedError, requests.RequestException) as error:
        sys.exit(f"seed: {error}")
    print(f"{len(models)} base models: {', '.join(sorted(models))}")


if __name__ == "__main__":
    main()
