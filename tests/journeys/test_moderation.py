"""What keeps the market decent: refused words, reports, suspensions, and no earning by oneself."""

from datetime import timedelta
from typing import Any

import pytest

from common.moderation.terms import find, folded
from tests.world import Caller, Model, World

DEED = {"reason": "a test of the rules"}


def moderated(world: World, mode: str) -> Model:
    world.staff.ok("PUT", "/api/admin/moderation/terms", {"terms": ["Forbidden Thing", "bad"]})
    return world.model(moderation=mode)


def start(caller: Caller, model: Model, prompt: str) -> Any:
    path = f"/api/marketplace/models/{model.slug}/run"
    return caller.call("POST", path, {"inputs": {"prompt": prompt}})


def test_with_block_refused_words_start_nothing_and_are_written_down(world: World) -> None:
    model, owner = moderated(world, "block"), world.consumer(credits_=100)
    answer = start(owner, model, "a FÓRBIDDEN   thing at dusk")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "INPUTS_REFUSED")
    assert error["details"]["errors"][0]["field"] == "prompt"
    assert "forbidden" not in answer.text.lower()
    (finding,) = world.staff.ok("GET", "/api/admin/moderation/findings")
    assert (finding["mode"], finding["terms"]) == ("block", ["forbidden thing"])
    assert world.jobs(model) == []
    assert world.balance(owner) == 100
    assert start(owner, model, "a badge").status_code == 201


def test_with_warn_the_run_starts_and_with_off_nobody_looks(world: World) -> None:
    warned, owner = moderated(world, "warn"), world.consumer(credits_=100)
    assert start(owner, warned, "bad light").status_code == 201
    (finding,) = world.staff.ok("GET", "/api/admin/moderation/findings")
    assert finding["mode"] == "warn"
    assert start(owner, world.model(), "bad light").status_code == 201
    assert len(world.staff.ok("GET", "/api/admin/moderation/findings")) == 1


def test_a_developers_test_run_is_looked_at_as_a_consumers_run_is(world: World) -> None:
    model = moderated(world, "block")
    path = f"/api/studio/tars-models/{model.id}/test-run"
    refused = model.developer.refused(422, "POST", path, {"inputs": {"prompt": "so bad"}})
    assert refused["code"] == "INPUTS_REFUSED"
    assert world.jobs(model) == []
    (finding,) = world.staff.ok("GET", "/api/admin/moderation/findings")
    me = model.developer.ok("GET", "/api/studio/auth/me")["id"]
    assert (finding["consumerId"], finding["developerId"]) == (None, me)


def test_a_report_is_made_once_and_upholding_it_suspends_the_model(world: World) -> None:
    model, owner = world.model(), world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/report"
    report = owner.ok("POST", path, {"reason": "misleading", "details": "It is not what it says."})
    assert owner.ok("POST", path, {"reason": "other"}) == report
    (shown,) = world.staff.ok("GET", "/api/admin/reports?state=open")
    assert shown["details"] == "It is not what it says."
    verdict = {"verdict": "uphold", **DEED}
    closed = world.staff.ok("POST", f"/api/admin/reports/{report['id']}/close", verdict)
    assert closed["state"] == "upheld"
    assert start(owner, model, "x").json()["error"]["code"] == "MODEL_UNAVAILABLE"
    other = {"verdict": "dismiss", **DEED}
    world.staff.refused(409, "POST", f"/api/admin/reports/{report['id']}/close", other)
    (event,) = model.developer.ok("GET", "/api/studio/events")
    assert event["type"] == "model.suspended"


@pytest.mark.parametrize("what", ["model", "developer", "consumer"])
def test_whatever_is_suspended_starts_nothing_while_its_runs_finish(
    world: World, what: str
) -> None:
    model, owner = world.model(price=10), world.consumer(credits_=100)
    world.simulator.behave(
        model.endpoint_id, {"mode": "script", "queue_ms": 0, "run_ms": 30_000, "output": {"a": 1}}
    )
    run = world.run(owner, model)
    ids = {
        "model": model.id,
        "developer": model.developer.ok("GET", "/api/studio/auth/me")["id"],
        "consumer": owner.ok("GET", "/api/marketplace/auth/me")["id"],
    }
    path = f"/api/admin/{what}s/{ids[what]}"
    first = world.staff.ok("POST", f"{path}/suspend", DEED)
    assert world.staff.ok("POST", f"{path}/suspend", DEED) == first
    refused = start(owner, model, "x")
    assert refused.status_code in {403, 503}
    slugs = [each["slug"] for each in owner.ok("GET", "/api/marketplace/models")]
    assert (model.slug in slugs) == (what == "consumer")
    world.advance(120)
    assert world.sql("SELECT phase FROM executions WHERE id = :id", id=run)[0][0] == "done"
    assert world.staff.ok("POST", f"{path}/reinstate", DEED)["suspendedAt"] is None
    assert start(owner, model, "x").status_code == 201
    actions = world.staff.ok("GET", f"/api/admin/actions?subject={ids[what]}")
    assert [each["action"] for each in actions[:2]] == [f"{what} reinstated", f"{what} suspended"]
    assert actions[0]["reason"] == DEED["reason"]


def test_a_suspension_between_the_offer_and_the_start_is_seen_by_the_database(
    world: World,
) -> None:
    """A process that still offers the model cannot start it."""
    model, owner = world.model(), world.consumer(credits_=100)
    world.runtime.settings = world.settings.model_copy(update={"catalogue_seconds": 60})
    world.ended(owner, world.run(owner, model))
    world.staff.ok("POST", f"/api/admin/models/{model.id}/suspend", DEED)
    assert start(owner, model, "x").status_code == 503


def test_whoever_runs_a_model_of_their_own_earns_nothing_by_it(world: World) -> None:
    model, stranger = world.model(price=10), world.consumer(credits_=100)
    owner = world.consumer(credits_=100)
    uid = str(model.developer.token).partition(":")[2]
    me = str(owner.token).partition(":")[2]
    from sqlalchemy import text

    with world.runtime.db.step() as connection:
        connection.execute(
            text("UPDATE consumers SET email = upper(:mail) WHERE firebase_uid = :uid"),
            {"mail": f"{uid}@example.com", "uid": me},
        )
    world.ended(owner, world.run(owner, model))
    assert model.developer.ok("GET", "/api/studio/auth/me")["totalEarnings"] == 0
    world.ended(stranger, world.run(stranger, model))
    assert model.developer.ok("GET", "/api/studio/auth/me")["totalEarnings"] == 7


def test_a_new_account_buys_only_so_much_a_day(world: World) -> None:
    owner = world.consumer()
    limits = {"concurrentRuns": 5, "newAccountDays": 7, "newAccountCentsPerDay": 1500}
    assert world.staff.ok("PUT", "/api/admin/limits", limits) == limits
    path = "/api/marketplace/credits/purchase"
    world.bought(owner, 600)
    refused = owner.refused(429, "POST", path, {"amountCents": 1000})
    assert (refused["code"], refused["details"]["limitCents"]) == ("PURCHASE_LIMIT_REACHED", 1500)
    assert owner.call("POST", path, {"amountCents": 800}).status_code == 201
    world.clock.shift += timedelta(days=8)
    assert owner.call("POST", path, {"amountCents": 5000}).status_code == 201


def test_a_refused_word_counts_as_a_whole_word_in_any_dress() -> None:
    terms = (folded("Bad"), folded("two words"))
    assert find({"a": "ＢＡＤ", "b": ["x", {"c": "two\n\twórds"}]}, terms) == (
        ["a", "b"],
        ["bad", "two words"],
    )
    assert find({"a": "badge", "b": 5, "c": "two  word"}, terms) is None
    assert find({"a": "bad"}, ()) is None
