"""Moderation on the wire: for consumers a report, for staff the rest."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from common.http import In, Out, Paging, Timestamp
from common.text import Line, Paragraphs

Reason = Literal["illegal", "abusive", "misleading", "broken", "copyright", "other"]
Term = Annotated[Line, Field(min_length=2, max_length=100)]
Why = Annotated[Line, Field(min_length=3, max_length=500, examples=["sells what is not its own"])]


class ReportIn(In):
    """What is wrong with a model."""

    reason: Reason = Field(examples=["misleading"])
    details: (
        Annotated[
            Paragraphs, Field(max_length=2000, examples=["It answers the same picture each time."])
        ]
        | None
    ) = None


class ReportOut(Out):
    """A report as its author sees it."""

    id: uuid.UUID
    model_id: uuid.UUID
    reason: Reason
    state: Literal["open", "upheld", "dismissed"]
    made_at: Timestamp


class OwnReport(ReportOut):
    """The same with what its author wrote, to be taken along."""

    details: str | None


class ReportsQuery(Paging):
    """Which reports to list."""

    state: Literal["open", "upheld", "dismissed"] | None = None


class ReportForStaff(ReportOut):
    """A report with who made it and what they wrote."""

    consumer_id: uuid.UUID
    developer_id: uuid.UUID
    details: str | None
    closed_at: Timestamp | None


class VerdictIn(In):
    """What becomes of a report. To uphold one suspends its model."""

    verdict: Literal["uphold", "dismiss"] = Field(examples=["dismiss"])
    reason: Why


class TermsIn(In):
    """Every word and phrase that inputs may not have; replaces the list."""

    terms: list[Term] = Field(max_length=5000, examples=[["a refused word"]])


class TermsOut(Out):
    """The list as it is compared: without case, width and accents."""

    terms: list[str]


class FindingsQuery(Paging):
    """Whose findings to list."""

    consumer_id: uuid.UUID | None = None


class FindingOut(Out):
    """Refused words in someone's inputs; with `block` the run did not start."""

    id: int
    at: Timestamp
    mode: Literal["warn", "block"]
    consumer_id: uuid.UUID | None
    developer_id: uuid.UUID | None
    tars_model_id: uuid.UUID
    fields: list[str]
    terms: list[str]


class SuspensionIn(In):
    """Why something is suspended or let back."""

    reason: Why


class SuspensionOut(Out):
    """Since when it is suspended; null when it is not."""

    id: uuid.UUID
    suspended_at: Timestamp | None
