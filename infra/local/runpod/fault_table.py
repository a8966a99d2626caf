"""Faults F1 to F20 of runpod.md 6.4: what each means, where it shows, what can be chosen."""

from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """What a fault means, its variants (one is drawn when none is asked for), its defaults."""

    meaning: str
    seen_in: str
    variants: tuple[str, ...] = ()
    defaults: JSON = field(default_factory=dict)


FAULTS: dict[str, Fault] = {
    "F1": Fault("the webhook is never sent", "webhooks: one withheld entry"),
    "F2": Fault(
        "the webhook is repeated, late, before the reply to /run, or out of order",
        "webhooks: times and number",
        ("twice", "late", "after_retries", "before_reply", "reordered"),
        {"seconds": 60.0},
    ),
    "F3": Fault(
        "a forged webhook comes before the true one",
        "webhooks: entry of kind forged",
        ("wrong_token", "other_job", "changed_output"),
    ),
    "F4": Fault("/run is accepted, then the connection drops", "a job whose id nobody was told"),
    "F5": Fault(
        "submitting fails; no job unless created is true",
        "the reply; refused in the endpoint's counters",
        ("502", "429", "timeout"),
        {"seconds": 60.0, "created": False},
    ),
    "F6": Fault(
        "the job stays IN_QUEUE",
        "/health tells why",
        ("no_workers", "throttled", "unhealthy", "initializing"),
    ),
    "F7": Fault(
        "the job stays IN_PROGRESS with an error inside its output",
        "status IN_PROGRESS with output.error",
        (),
        {"output": {"error": "CUDA error: an illegal memory access was encountered"}},
    ),
    "F8": Fault("COMPLETED without output", "no key output"),
    "F9": Fault(
        "COMPLETED with an output that says error",
        "the output",
        ("error_key", "status_key", "text", "listed"),
    ),
    "F10": Fault("the first run is lost and the platform runs the job again", "retries 1, runs 2"),
    "F11": Fault("both runs are lost", "FAILED, job timed out after 1 retries"),
    "F12": Fault(
        "the run never ends by itself; executionTimeout is enforced 3 to 10 s late",
        "status and error",
        ("FAILED", "TIMED_OUT"),
    ),
    "F13": Fault(
        "/status says 404: soon after submit, as if retention were over, or TTL while running",
        "the 404 body",
        ("propagation", "retention", "ttl"),
        {"seconds": 5.0},
    ),
    "F14": Fault(
        "a progress write lands after the final result and overwrites it",
        "status back at IN_PROGRESS",
        (),
        {"seconds": 1.0, "output": "95%"},
    ),
    "F15": Fault(
        "media in the output cannot be had",
        "the URL's or the data's bytes",
        ("expired", "forbidden", "broken_base64", "wrong_mime"),
    ),
    "F16": Fault("/cancel says CANCELLED, yet the job completes", "COMPLETED after CANCELLED"),
    "F17": Fault(
        "/status answers 5xx for minutes", "the reply", ("500", "502", "524"), {"seconds": 120.0}
    ),
    "F18": Fault(
        "the job object has an unknown status, extra fields, or no delayTime",
        "/status and the webhook",
        ("unknown_status", "extra_fields", "no_delay_time"),
        {"status": "WARMING"},
    ),
    "F19": Fault("old and new output shape alternate, as in a rolling release", "the output"),
    "F20": Fault("a webhook body of 24 MB", "the body's size", (), {"bytes": 24 * 1024 * 1024}),
}
