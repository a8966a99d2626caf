"""Moderation by staff: reports, suspensions, refused words, and the limits of consumers."""

from typing import Any

from common.accounts import service as accounts
from common.accounts.schemas import LimitsIn, LimitsOut
from common.errors import (
    Conflict,
    ConsumerNotFound,
    DeveloperNotFound,
    ModelNotFound,
    NotAnAdmin,
    NotFound,
    ReportNotFound,
)
from common.gateways.identity import Identity
from common.http import Call, Link, Page
from common.http.app import Routes
from common.moderation import service as moderation
from common.moderation.schemas import (
    FindingOut,
    FindingsQuery,
    ReportForStaff,
    ReportsQuery,
    SuspensionIn,
    SuspensionOut,
    TermsIn,
    TermsOut,
    VerdictIn,
)
from common.moderation.service import What
from common.runtime import runtime
from functions.admin.guards import staff

routes = Routes()
# Whom or what staff suspend: in the path, the parameter, and what is said of a wrong id.
SUSPENDED: dict[What, tuple[str, str, type[NotFound]]] = {
    "consumer": ("consumers", "consumer_id", ConsumerNotFound),
    "developer": ("developers", "developer_id", DeveloperNotFound),
    "model": ("models", "model_id", ModelNotFound),
}


def _suspensions(what: What) -> None:
    path, name, missing = SUSPENDED[what]
    errors = (NotAnAdmin, missing)

    def suspend(call: Call[Identity, SuspensionIn, None]) -> SuspensionOut:
        with runtime().db.transaction() as session:
            return moderation.suspend(session, what, call.uuid(name), **_deed(call))

    def reinstate(call: Call[Identity, SuspensionIn, None]) -> SuspensionOut:
        with runtime().db.transaction() as session:
            return moderation.reinstate(session, what, call.uuid(name), **_deed(call))

    for verb, act, ends in (
        ("suspend", suspend, "Suspends a {}: nothing new starts, runs under way finish."),
        ("reinstate", reinstate, "Lets a {} back."),
    ):
        act.__name__, act.__doc__ = f"{verb}_{what}", ends.format(what)
        routes.route(
            "POST",
            f"/{path}/<{name}>/{verb}",
            guard=staff,
            body=SuspensionIn,
            out=SuspensionOut,
            errors=errors,
        )(act)


def _about(what: What) -> tuple[str, str]:
    path, name, _ = SUSPENDED[what]
    return f"POST /{path}/<{name}>/suspend", f"POST /{path}/<{name}>/reinstate"


for _what in SUSPENDED:
    _suspensions(_what)


@routes.route(
    "GET",
    "/reports",
    guard=staff,
    query=ReportsQuery,
    out=Page[ReportForStaff],
    errors=(NotAnAdmin,),
    links=(
        Link("0/id", ("POST /reports/<id>/close",)),
        Link("0/consumerId", _about("consumer")),
        Link("0/developerId", _about("developer")),
        Link("0/modelId", _about("model")),
    ),
)
def reports(call: Call[Identity, None, ReportsQuery]) -> Page[ReportForStaff]:
    """Lists what consumers reported, the oldest first."""
    with runtime().db.transaction() as session:
        return moderation.reports(session, call.query)


@routes.route(
    "POST",
    "/reports/<id>/close",
    guard=staff,
    body=VerdictIn,
    out=ReportForStaff,
    errors=(NotAnAdmin, ReportNotFound, Conflict),
)
def close_report(call: Call[Identity, VerdictIn, None]) -> ReportForStaff:
    """Dismisses a report, or upholds it, which suspends the model."""
    with runtime().db.transaction() as session:
        return moderation.close_report(
            session,
            call.uuid("id"),
            call.body,
            by=call.principal.uid,
            now=runtime().clock.now(),
        )


@routes.route(
    "PUT", "/moderation/terms", guard=staff, body=TermsIn, out=TermsOut, errors=(NotAnAdmin,)
)
def set_terms(call: Call[Identity, TermsIn, None]) -> TermsOut:
    """Replaces the words that inputs of moderated base models may not have."""
    with runtime().db.transaction() as session:
        return moderation.set_terms(
            session, call.body.terms, by=call.principal.uid, now=runtime().clock.now()
        )


@routes.route("GET", "/moderation/terms", guard=staff, out=TermsOut, errors=(NotAnAdmin,))
def terms(_call: Call[Identity, None, None]) -> TermsOut:
    """Shows the refused words."""
    with runtime().db.transaction() as session:
        return moderation.terms(session)


@routes.route(
    "GET",
    "/moderation/findings",
    guard=staff,
    query=FindingsQuery,
    out=Page[FindingOut],
    errors=(NotAnAdmin,),
)
def findings(call: Call[Identity, None, FindingsQuery]) -> Page[FindingOut]:
    """Lists refused words that were found in inputs, the newest first."""
    with runtime().db.transaction() as session:
        return moderation.findings(session, call.query)


@routes.route("GET", "/limits", guard=staff, out=LimitsOut, errors=(NotAnAdmin,))
def limits(_call: Call[Identity, None, None]) -> LimitsOut:
    """Shows what every consumer may."""
    with runtime().db.transaction() as session:
        return accounts.limits(session)


@routes.route("PUT", "/limits", guard=staff, body=LimitsIn, out=LimitsOut, errors=(NotAnAdmin,))
def set_limits(call: Call[Identity, LimitsIn, None]) -> LimitsOut:
    """Changes what every consumer may."""
    with runtime().db.transaction() as session:
        return accounts.set_limits(
            session, call.body, by=call.principal.uid, now=runtime().clock.now()
        )


def _deed(call: Call[Identity, SuspensionIn, None]) -> dict[str, Any]:
    return {
        "reason": call.body.reason,
        "by": call.principal.uid,
        "now": runtime().clock.now(),
    }
