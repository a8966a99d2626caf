"""A plan of Terraform (`terraform show -json`), as its readers want it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

FUNCTION = "google_cloudfunctions2_function"
KNOWN_LATER = "https://known-later.test"


@dataclass(frozen=True)
class Resource:
    """What one resource would be. Values that only Google knows are missing."""

    address: str
    kind: str
    values: dict[str, Any]
    later: dict[str, Any]  # what only an apply will tell, as terraform marks it

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    @property
    def email(self) -> str:
        """Of a service account."""
        return f"{self['account_id']}@{self['project']}.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Function:
    """A Cloud Function of the plan, by the name of its folder."""

    name: str
    resource: Resource

    @property
    def service(self) -> dict[str, Any]:
        (config,) = self.resource["service_config"]
        return dict(config)

    @property
    def account(self) -> str:
        return str(self.service["service_account_email"])

    @property
    def member(self) -> str:
        return f"serviceAccount:{self.account}"

    @property
    def environment(self) -> dict[str, str]:
        """Its variables; those known only after an apply have a stand-in."""
        return dict(self.service["environment_variables"])

    @property
    def secrets(self) -> dict[str, dict[str, str]]:
        """Its secrets by their variable's name."""
        return {it["key"]: it for it in self.service["secret_environment_variables"]}


class Plan:
    """All resources of one environment's plan."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    @cached_property
    def resources(self) -> list[Resource]:
        return [
            Resource(it["address"], it["type"], _completed(it["change"]), _later(it["change"]))
            for it in self.document["resource_changes"]
            if it["change"]["after"] is not None
        ]

    def of(self, kind: str) -> list[Resource]:
        return [it for it in self.resources if it.kind == kind]

    def one(self, kind: str) -> Resource:
        (found,) = self.of(kind)
        return found

    @property
    def functions(self) -> dict[str, Function]:
        found = {str(it["name"]).removeprefix("tarsify-"): it for it in self.of(FUNCTION)}
        return {name: Function(name, it) for name, it in found.items()}

    def members(self, kind: str, **values: object) -> set[str]:
        """Whom the grants of one kind with these values let do something."""
        return {
            str(it["member"])
            for it in self.of(kind)
            if all(it[name] == value for name, value in values.items())
        }


def _later(change: Mapping[str, Any]) -> dict[str, Any]:
    return dict(change.get("after_unknown") or {})


def _completed(change: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with a stand-in for each variable of a function that is not known yet: an
    installation without a domain learns its own address from Google."""
    after = copy.deepcopy(dict(change["after"]))
    unknown = _later(change).get("service_config") or ()
    for config, later in zip(after.get("service_config") or (), unknown, strict=False):
        names = later.get("environment_variables")
        if isinstance(names, dict):
            waiting = [name for name, is_unknown in names.items() if is_unknown is True]
            config["environment_variables"] |= dict.fromkeys(waiting, KNOWN_LATER)
    return after
