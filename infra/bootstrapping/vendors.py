"""Keys of RunPod and Stripe, tried by a call that changes nothing before they are stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import requests

from common.gateways.errors import GatewayError
from common.gateways.runpod import RunPod, RunPodUnavailable, Trouble
from common.gateways.runpod_endpoints import RunPodEndpoints
from infra.bootstrapping.installation import BootstrapError

CALL_SECONDS = 20


@dataclass(frozen=True)
class Vendors:
    """Where the vendors are, and whether their money is real."""

    runpod: str
    runpod_management: str
    stripe: str
    live: bool

    def checked(self, secret: str, value: str) -> str:
        """What was found out about a secret. Raises BootstrapError, which never quotes it."""
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise BootstrapError(f"{secret}: empty, or with characters that no key has")
        checks: dict[str, Callable[[str], str]] = {
            "runpod-api-key": self._runpod_jobs,
            "runpod-management-key": self._runpod_management,
            "stripe-secret-key": self._stripe,
            "stripe-webhook-secrets": _signing_secrets,
            "stripe-connect-webhook-secrets": _signing_secrets,
        }
        try:
            return checks[secret](value)
        except (GatewayError, requests.RequestException) as error:
            raise BootstrapError(f"{secret}: the vendor did not take it: {error}") from None
        except BootstrapError as error:
            raise BootstrapError(f"{secret}: {error}") from None

    def _runpod_management(self, key: str) -> str:
        found = RunPodEndpoints(self.runpod_management, key).all()
        return f"RunPod lists {len(found)} endpoints"

    def _runpod_jobs(self, key: str) -> str:
        """A key for jobs alone cannot list endpoints, so it is tried on one that is not there."""
        try:
            RunPod(self.runpod, key).health("tarsify-no-such-endpoint")
        except RunPodUnavailable as answer:
            if answer.trouble is not Trouble.UNKNOWN_ENDPOINT:
                raise
        return "RunPod takes it"

    def _stripe(self, key: str) -> str:
        if ("_live_" in key) != self.live:
            raise BootstrapError("prod takes a live key, all others a test key")
        answer = requests.get(
            f"{self.stripe}/v1/balance",
            headers={"Authorization": f"Bearer {key}"},
            timeout=CALL_SECONDS,
            allow_redirects=False,
        )
        if not answer.ok:
            raise BootstrapError(f"Stripe answers {answer.status_code}")
        if answer.json().get("livemode") is not self.live:
            raise BootstrapError("Stripe says that this key is for the other kind of money")
        return "Stripe takes it"


def _signing_secrets(value: str) -> str:
    if not all(re.fullmatch(r"whsec_\w+", each) for each in re.split(r"[,|]", value)):
        raise BootstrapError("a signing secret begins with whsec_; two are separated by a comma")
    return "has the form of a signing secret"
