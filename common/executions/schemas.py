"""Executions on the wire. No endpoint, job id, worker text or merged payload is among them."""

import uuid
from typing import Any, Literal

from pydantic import Field

from common.http import In, JsonObject, Out, Paging, Timestamp
from common.webhooks.schemas import RunWebhook

Status = Literal["PENDING", "QUEUED", "RUNNING", "COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"]


class RunIn(In):
    """A run's inputs, checked against the model's own schema, and whom to tell of it."""

    inputs: JsonObject = Field(default_factory=dict, examples=[{"prompt": "a lighthouse"}])
    webhook: RunWebhook | None = None


class RunBySlugIn(RunIn):
    """A run's inputs and the model that is to run."""

    slug: str = Field(min_length=1, max_length=200)


class TestRunIn(In):
    """A test's inputs. `input` is another spelling of `inputs`."""

    inputs: JsonObject | None = None
    input: JsonObject | None = None

    @property
    def given(self) -> JsonObject:
        return self.inputs if self.inputs is not None else self.input or {}


class Queue(Out):
    """Where a run stands: its place among those that wait for the same GPUs, from 1 on; null while
    it is worked on. The estimate is until its end, by what the last runs took. The progress is the
    model's own word, which not every model gives.
    """

    position: int | None
    estimated_seconds: int | None
    progress_percent: int | None


class RunStarted(Out):
    """The answer to a start. `run` is there if the caller asked to wait for the end."""

    execution_id: uuid.UUID
    status: Status
    message: str
    estimated_seconds: int
    credits_charged: int
    remaining_credits: int
    run: "Execution | None"


class Billing(Out):
    """What a run costs: HELD while it goes on, then CAPTURED or RELEASED; REFUNDED by staff.

    `refundedCredits` of the captured ones were given back; `reason` says why it is so.
    """

    state: Literal["HELD", "CAPTURED", "RELEASED", "REFUNDED"]
    held_credits: int
    captured_credits: int
    refunded_credits: int
    reason: str


class ChargeOut(Out):
    """What one end of a run costs: its full price or nothing."""

    status: Status
    charge: Literal["full", "none"]
    reason: str


class QuoteIn(In):
    """The inputs of a run that is only asked about; checked if they are given."""

    inputs: JsonObject | None = None


class Quote(Out):
    """What a run costs now. Nothing is held by asking; starting it charges no more than this."""

    slug: str
    price_credits: int
    balance: int
    balance_after: int
    sufficient: bool
    frozen_reason: str | None
    estimated_seconds: int
    longest_seconds: int
    charges: list[ChargeOut]


class Posting(Out):
    """A line of the ledger. Credits with up to six decimals."""

    id: int
    kind: str
    credits: float


class Receipt(Out):
    """A run's money. Times in ms; `queueMs` is until a GPU took it, with the GPU's own start-up,
    which the provider does not tell apart. Shares are what is kept of the price.
    """

    execution_id: uuid.UUID
    model_slug: str
    status: Status
    billing: Billing
    price_credits: int
    developer_share_credits: float
    platform_fee_credits: float
    queue_ms: int | None
    run_ms: int | None
    started_at: Timestamp
    ended_at: Timestamp | None
    postings: list[Posting]


class RunRefundIn(In):
    """Why staff give a run's price back. The same reference is done once."""

    reference: uuid.UUID = Field(description="Made by the caller; repeats of it change nothing")
    reason: str = Field(min_length=3, max_length=500)


class RunRefunded(Out):
    """A run whose price was given back."""

    execution_id: uuid.UUID
    refunded_credits: int
    done_now: bool


class RunBaseModel(Out):
    """The base model of a run's model."""

    name: str
    category: str
    output_type: str


class RunModel(Out):
    """The model of a run."""

    id: uuid.UUID
    slug: str
    title: str
    base_model: RunBaseModel


class ExecutionSummary(Out):
    """A run in a list."""

    id: uuid.UUID
    status: Status
    error_code: str | None
    error_message: str | None
    price_credits: int
    billing: Billing
    created_at: Timestamp
    started_at: Timestamp | None
    completed_at: Timestamp | None
    execution_time_ms: int | None
    queue_time_ms: int | None
    tars_model: RunModel


class Execution(ExecutionSummary):
    """A run with what its consumer sent and got; `queue` until it has ended."""

    input_payload: JsonObject
    output_payload: Any
    queue: Queue | None


class RunStatus(Out):
    """A run's state, for a client that waits."""

    id: uuid.UUID
    status: Status
    output_payload: Any
    error_code: str | None
    error_message: str | None
    completed_at: Timestamp | None
    execution_time_ms: int | None


class RunCancelled(Out):
    """A run after the wish to stop it."""

    id: uuid.UUID
    status: Status
    message: str


class TestRun(Out):
    """A finished test run, in the words that the studio knows."""

    job_id: str
    status: Literal["COMPLETED", "FAILED", "TIMED_OUT", "CANCELLED"]
    output: Any
    error: str | None
    execution_time_ms: int | None


class RunsQuery(Paging):
    """Which runs to list."""

    status: Status | None = None


class StatusQuery(In):
    """`sync=true` asks the GPU service for the newest state first."""

    sync: Literal["true", "false"] = "false"


class ViolationOut(Out):
    """One row that breaks an invariant, and by how much (micro-credits or a count)."""

    rule: str
    what: str
    difference: int


class InvariantOut(Out):
    """An invariant, how often it is broken, and the first rows that break it."""

    code: str
    promise: str
    violations: int
    examples: list[ViolationOut]


class AuditOut(Out):
    """Every invariant, checked just now; `violations` must be 0."""

    checked_at: Timestamp
    violations: int
    invariants: list[InvariantOut]
