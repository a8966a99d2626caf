"""One step in a hundred goes wrong: at RunPod, and on the links to it, to database and storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from infra.chaos_testing.market import OUTPUT
from infra.local.fault_proxy import Fault, Mode
from infra.local.platform import SIMULATOR_KEY, Platform
from infra.local.runpod.client import SimulatorClient

SHARE = 0.01
RUN_MS = 400
# A request asks the database about ten times, and the storage and RunPod once.
LINK_SHARES = {"database": SHARE / 10, "runpod": SHARE, "storage": SHARE}


@dataclass(frozen=True)
class JobFault:
    """A switch of the simulator (its `fault_table`), in plain words."""

    words: str
    fault: str
    options: dict[str, Any] = field(default_factory=dict)


# Silence on submit (F5 timeout) is a third of its own kind: it holds a start for 10 s, and were it
# 1 % of all, then the p99 of start would tell of nothing else.
JOB_FAULTS = (
    JobFault("fails", "F9"),
    JobFault("fails without output", "F8"),
    JobFault("hangs until it is timed out", "F12"),
    JobFault("stays queued", "F6"),
    JobFault("webhook lost", "F1"),
    JobFault("webhook repeated", "F2", {"variant": "twice"}),
    JobFault("webhook forged", "F3"),
    JobFault("accepted, and the answer lost", "F4"),
    JobFault("submit refused or unanswered", "F5"),
    JobFault("status unknown for a while", "F13", {"variant": "propagation"}),
    JobFault("status answers 5xx for a while", "F17", {"seconds": 5.0}),
)


class Drizzle:
    """Faults that never stop. The seed draws which jobs they strike; on links chance does."""

    def __init__(self, platform: Platform, *, seed: int) -> None:
        self._platform = platform
        self._simulator = SimulatorClient(platform.simulator_url, key=SIMULATOR_KEY)
        self._simulator.set_seed(seed)
        for endpoint in platform.endpoints.values():
            self._simulator.behave(endpoint, mode="script", run_ms=RUN_MS, output=OUTPUT)

    def begin(self) -> None:
        """From now on, for as long as the platform lives."""
        for each in JOB_FAULTS:
            self._simulator.fault(None, each.fault, probability=SHARE, **each.options)
        for link, share in LINK_SHARES.items():
            self._platform.network.impose(link, Fault(Mode.FLAKY, share=share))

    def struck(self) -> dict[str, int]:
        """How many jobs each fault has struck."""
        told = self._simulator.faults()["struck"]
        return {
            each.words: sum(it["times"] for it in told if it["fault"] == each.fault)
            for each in JOB_FAULTS
        }

    def close(self) -> None:
        self._simulator.close()
