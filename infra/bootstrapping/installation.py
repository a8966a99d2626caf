"""Which installation is meant, and the names that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from common.settings import Settings


class BootstrapError(Exception):
    """It cannot go on; the message says why and what to do. Whatever was done stays done."""


@dataclass(frozen=True)
class Installation:
    """Where it is to be. Without a domain (dev only) Terraform makes a host of the address."""

    environment: str
    project: str
    users_project: str
    developers_project: str
    region: str
    domain: str | None
    repository: str
    alerts_email: str

    def __post_init__(self) -> None:
        if len({self.project, self.users_project, self.developers_project}) < 3:
            raise BootstrapError(
                "the installation and its two Firebase projects are three projects"
            )
        if self.domain is None and self.environment != "dev":
            raise BootstrapError("anything but dev needs --domain")
        if "@" not in self.alerts_email:
            raise BootstrapError("--alerts-email is no address")

    @property
    def state_bucket(self) -> str:
        return f"{self.project}-state"

    @property
    def state_object(self) -> str:
        return f"gs://{self.state_bucket}/tarsify/{self.environment}/default.tfstate"

    @property
    def folder(self) -> str:
        return f"terraform/environments/{self.environment}"

    @property
    def origin(self) -> str | None:
        return f"https://{self.domain}" if self.domain else None


def secret_names() -> list[str]:
    """The secrets by the names that Terraform gives them: those of the settings, in kebab-case."""
    return [
        name.replace("_", "-")
        for name, field in Settings.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("secret")
    ]
