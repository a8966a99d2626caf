"""How calls to RunPod fail, told apart by what is certain.

GatewayError
  SubmitRefused       there is certainly no job: another attempt is safe
  SubmitUnknown       there may be a job: submitting again could run and bill it twice
  RunPodUnavailable   a look brought no answer: look again later
"""

from enum import StrEnum
from typing import Any

from common.gateways.errors import GatewayError


class Refusal(StrEnum):
    """Why RunPod certainly has no such job."""

    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"


class Trouble(StrEnum):
    """Why a look at RunPod failed."""

    NETWORK = "network"
    SERVER = "server"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"


class SubmitRefused(GatewayError):
    """RunPod certainly did not take the job: another attempt is safe."""

    def __init__(self, kind: Refusal) -> None:
        super().__init__(f"RunPod did not take the job: {kind}")
        self.kind = kind

    @property
    def passing(self) -> bool:
        """Whether the same job may well be taken a little later."""
        return self.kind in (Refusal.UNREACHABLE, Refusal.RATE_LIMITED)


class SubmitUnknown(GatewayError):
    """RunPod may or may not have taken the job; only its callback or a deadline can tell."""


class RunPodUnavailable(GatewayError):
    """A status, cancel or health call brought no answer."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(f"RunPod gave no answer: {trouble}")
        self.trouble = trouble

    @property
    def passing(self) -> bool:
        """Whether asking again at once may help."""
        return self.trouble in (Trouble.NETWORK, Trouble.SERVER, Trouble.RATE_LIMITED)


def refusal_in(status: int, answer: Any) -> Refusal | None:
    """Why there is surely no job, or None.

    Only a 4xx is a sure no, and not 408: a proxy may say so when it gave up waiting for the answer.
    """
    if not 400 <= status < 500 or status == 408:
        return None
    if status == 400 and "max body size" in str(answer):
        return Refusal.TOO_LARGE
    return {
        401: Refusal.UNAUTHORIZED,
        403: Refusal.UNAUTHORIZED,
        404: Refusal.UNKNOWN_ENDPOINT,
        413: Refusal.TOO_LARGE,
        429: Refusal.RATE_LIMITED,
    }.get(status, Refusal.REJECTED)


def trouble_in(status: int, answer: Any) -> Trouble | None:
    """What is wrong with the answer to a look, or None: 2xx, or a job that RunPod does not know."""
    if 200 <= status < 300:
        return None
    if status == 404:
        # A job that is unknown is news; an endpoint that is unknown is our fault (runpod.md 1.5).
        detail = answer.get("detail") if isinstance(answer, dict) else None
        return Trouble.UNKNOWN_ENDPOINT if "endpoint" in str(detail).lower() else None
    if status in (401, 403):
        return Trouble.UNAUTHORIZED
    if status == 429:
        return Trouble.RATE_LIMITED
    return Trouble.SERVER if status >= 500 else Trouble.REJECTED
