"""RunPod's bills by its management API: what a day of GPU time cost (runpod.md 3.4)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.boundary import assert_no_session
from common.gateways.errors import GatewayError

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 20.0
MICRO = 1_000_000


class BillsUnavailable(GatewayError):
    """RunPod did not say."""


@dataclass(frozen=True)
class Bill:
    """What an endpoint's GPUs cost in a span, in millionths of a US dollar."""

    endpoint_id: str
    micro_usd: int


class RunPodBills:
    """Reads `GET /billing/serverless`; never writes anything."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base_url, self._key = base_url.rstrip("/"), api_key

    def between(self, since: datetime, until: datetime) -> list[Bill]:
        """One sum per endpoint for a span of whole days (UTC). Raises BillsUnavailable."""
        assert_no_session()
        import requests

        try:
            answer = requests.get(
                f"{self._base_url}/billing/serverless",
                params={
                    "startTime": since.isoformat(),
                    "endTime": until.isoformat(),
                    "bucketSize": "day",
                },
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
            )
            answer.raise_for_status()
            return _summed(answer.json()["records"])
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise BillsUnavailable(type(error).__name__) from error


def _summed(records: list[dict[str, Any]]) -> list[Bill]:
    """`gpuAmount` is GPU time alone; fees and disks are no part of a run's cost."""
    sums: dict[str, int] = {}
    for record in records:
        endpoint = str(record["serverlessId"])
        sums[endpoint] = sums.get(endpoint, 0) + round(float(record["gpuAmount"]) * MICRO)
    return [Bill(endpoint, amount) for endpoint, amount in sorted(sums.items())]
