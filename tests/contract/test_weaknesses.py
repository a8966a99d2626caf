"""What the earlier system got wrong (contract section 5): each row is a test here or elsewhere.

Tests elsewhere carry the row's id in their names; `ELSEWHERE` finds those that do not. The last
test holds the whole list: a row without a test or a reason fails it.
"""

import ast
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from common.gateways.runpod import RunPod
from common.settings import Settings
from tests.contract.studio_client import shown_date
from tests.world import SDXL_OUTPUT_PIXEL, Caller, World

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent
IDS = {
    *range(1, 10), *range(10, 30), *range(30, 36), *range(40, 54), *range(60, 71), *range(80, 90),
}  # fmt: skip

# Rows whose proof has another name: the file and the test.
ELSEWHERE = {
    12: (
        "faults/test_submitting.py",
        "test_post_timeout_or_5xx_is_unknown_until_a_webhook_or_the_grace",
    ),
    14: (
        "gateways/test_runpod.py",
        "test_silence_and_resets_are_network_trouble",
    ),
    15: (
        "faults/test_webhooks.py",
        "test_webhook_lost_all_3_times_is_replaced_by_a_poll",
    ),
    16: (
        "faults/test_submitting.py",
        "test_crash_after_post_with_id_unknown_is_adopted_by_the_webhook",
    ),
    17: (
        "faults/test_cancel.py",
        "test_cancel_callback_and_poll_at_once_settle_once",
    ),
    29: (  # its last part; a limit for each person comes with the rate limits
        "faults/test_jobs.py",
        "test_endpoint_scaled_to_0_times_out_with_a_release",
    ),
    30: (
        "journeys/test_a_run.py",
        "test_a_consumer_runs_a_model_and_gets_the_picture_for_its_price",
    ),
    32: (
        "concurrency/test_starting.py",
        "test_two_hundred_starts_on_credits_for_seven_runs_start_exactly_seven",
    ),
    35: (
        "journeys/test_a_run.py",
        "test_one_click_sent_twice_with_the_same_key_is_one_execution",
    ),
    84: (
        "http/test_openapi.py",
        "test_the_document_lists_every_route_once",
    ),
    89: (
        "security/test_access.py",
        "test_every_route_of_every_function_has_a_row_and_every_row_a_route",
    ),
}
# Rows about what is not part of the product yet.
LATER = {
    8: "reviews and notebooks",
    85: "notebooks",
    87: "the studio's web pages",
    88: "the studio's web pages",
}


def finished(world: World, **model: Any) -> tuple[Any, dict[str, Any]]:
    """A consumer and their run, which has ended."""
    offer, consumer = world.model(**model), world.consumer(credits_=100)
    return consumer, world.ended(consumer, world.run(consumer, offer))


def test_w02_the_list_of_runs_is_a_list_with_meta(world: World) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    runs = [world.run(consumer, model, prompt=str(number)) for number in range(3)]
    for run in runs:
        world.ended(consumer, run)
    body = consumer.call("GET", "/api/marketplace/runs?limit=2").json()
    assert [each["id"] for each in body["data"]] == runs[:0:-1]
    assert body["meta"] == {"page": 1, "limit": 2, "total": 3, "totalPages": 2, "pages": 2}
    failed = consumer.call("GET", "/api/marketplace/runs?status=FAILED").json()
    assert (failed["data"], failed["meta"]["total"]) == ([], 0)


def test_w18_a_run_whose_job_runpod_forgot_can_be_cancelled(world: World) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    world.simulator.behave(model.endpoint_id, {"mode": "script", "queue_ms": 10**9})
    run = world.run(consumer, model)
    world.simulator.fault(model.endpoint_id, "F13", variant="retention")
    answer = consumer.call("POST", f"/api/marketplace/runs/{run}/cancel")
    assert answer.status_code == 200
    world.advance(900, step=30, sweep=True)
    shown = world.shown(consumer, run)
    assert (shown["status"], shown["billing"]["state"]) == ("CANCELLED", "RELEASED")
    assert world.balance(consumer) == 100


def test_w19_a_run_shows_when_it_ended_and_why_and_no_output_before(world: World) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    secret = "Unexpected input. colour is not a valid input option."
    world.simulator.behave(model.endpoint_id, {"mode": "script", "run_ms": 300, "error": secret})
    run = world.run(consumer, model)
    status = f"/api/marketplace/runs/{run}/status"
    going = consumer.ok("GET", status)
    assert (going["completedAt"], going["outputPayload"]) == (None, None)
    ended = world.ended(consumer, run)
    again = consumer.ok("GET", f"{status}?sync=true")
    assert again["completedAt"] == ended["completedAt"]
    assert again["errorCode"] == "INPUTS_REJECTED"
    assert shown_date(ended["completedAt"]) - shown_date(ended["createdAt"]) < timedelta(seconds=10)


def test_w19_a_time_of_zero_milliseconds_is_a_time(world: World) -> None:
    _, run = finished(world)
    assert isinstance(run["executionTimeMs"], int)


def test_w11_the_time_in_a_runs_history_is_in_milliseconds(world: World) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    world.simulator.behave(
        model.endpoint_id,
        {"mode": "script", "run_ms": 250, "output": {"image_url": SDXL_OUTPUT_PIXEL}},
    )
    run = world.ended(consumer, world.run(consumer, model))
    assert 200 <= run["executionTimeMs"] <= 5000


@pytest.mark.parametrize("key", ["wrong-key", ""])
def test_w21_w28_a_key_that_runpod_refuses_is_our_trouble_and_costs_nothing(
    world: World, key: str
) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    whole = world.runtime.runpod
    world.runtime.__dict__["runpod"] = RunPod(world.simulator.base_url, key)
    path = f"/api/marketplace/models/{model.slug}/run"
    response = consumer.call("POST", path, {"inputs": {"prompt": "x"}})
    world.runtime.__dict__["runpod"] = whole
    assert response.status_code == 201
    run = world.shown(consumer, response.json()["data"]["executionId"])
    assert (run["status"], run["errorCode"]) == ("FAILED", "MODEL_UNAVAILABLE")
    assert run["errorMessage"] == "This model cannot be run at the moment."
    assert world.balance(consumer) == 100


def test_w23_a_consumer_gets_back_what_they_sent_and_no_more(world: World) -> None:
    overrides = {
        "promptPrefix": "a secret recipe, ",
        "lockedInputs": {"num_inference_steps": 41},
        "hiddenFields": ["num_inference_steps"],
    }
    model, consumer = world.model(overrides=overrides), world.consumer(credits_=100)
    run = world.run(consumer, model, prompt="a cat")
    world.ended(consumer, run)
    assert world.jobs(model)[0]["input"]["prompt"] == "a secret recipe, a cat"
    assert world.shown(consumer, run)["inputPayload"] == {"prompt": "a cat"}
    for path in (f"runs/{run}", f"runs/{run}/status", "runs", f"models/{model.slug}", "models"):
        text = consumer.call("GET", f"/api/marketplace/{path}").text
        for secret in ("secret recipe", "num_inference_steps", model.endpoint_id):
            assert secret not in text


def test_w13_a_consumer_cannot_touch_what_is_locked_hidden_or_unknown(world: World) -> None:
    overrides = {"lockedInputs": {"width": 512}, "hiddenFields": ["seed"]}
    model, consumer = world.model(overrides=overrides), world.consumer(credits_=100)
    path = f"/api/marketplace/models/{model.slug}/run"
    for name, value in {"width": 768, "seed": 1, "colour": "red", "__proto__": {}}.items():
        inputs = {"prompt": "x", name: value}
        error = consumer.refused(422, "POST", path, {"inputs": inputs})
        assert [each["field"] for each in error["details"]["errors"]] == [name]
    assert world.jobs(model) == []
    assert world.balance(consumer) == 100


def test_w26_results_are_files_in_our_bucket_behind_addresses_that_end(world: World) -> None:
    consumer, run = finished(world)
    (stored,) = world.sql("SELECT output::text AS output FROM executions")
    assert "base64" not in stored.output
    assert SDXL_OUTPUT_PIXEL not in stored.output
    (file,) = run["outputPayload"]["outputs"]
    assert requests.get(file["url"], timeout=10).status_code == 200
    unsigned = requests.get(file["url"].split("?")[0], timeout=10)
    assert unsigned.status_code in {401, 403}
    ends = datetime.fromisoformat(file["expiresAt"].replace("Z", "+00:00"))
    assert ends - world.clock.now() <= timedelta(seconds=world.settings.output_url_seconds)
    listed = consumer.ok("GET", "/api/marketplace/runs")[0]
    assert not {"inputPayload", "outputPayload"} & set(listed)


def test_w28_a_process_keeps_one_client_for_all_its_requests(world: World) -> None:
    parts = world.runtime
    clients = [(parts.runpod, parts.storage, parts.tasks) for _ in range(2)]
    finished(world)
    assert all(one is other for one, other in zip(*clients, strict=True))
    assert clients[0] == (parts.runpod, parts.storage, parts.tasks)


@pytest.mark.parametrize("prefix", ["/api/marketplace", "/api/consumer", ""])
def test_w31_nobody_gives_themselves_credits(world: World, prefix: str) -> None:
    consumer = world.consumer()
    opened = consumer.ok("POST", f"{prefix}/credits/purchase", {"amountCents": 50_000})
    assert (opened["status"], opened["amountPaid"], opened["newBalance"]) == ("pending", 0, 0)
    assert consumer.ok("GET", f"{prefix}/credits/purchases/{opened['id']}")["status"] == "pending"
    for path in ("/credits", "/credits/grants"):
        response = consumer.call("POST", f"{prefix}{path}", {"amountCents": 50_000})
        assert response.status_code in {404, 405}
    world.staff.token, token = consumer.token, world.staff.token
    error = world.staff.refused(401, "POST", "/api/admin/credits/grants", {"credits": 1})
    world.staff.token = token
    assert error["code"] == "WRONG_PROJECT"
    assert world.balance(consumer) == 0


def test_w33_a_completed_run_earns_its_developer_their_share_at_once(world: World) -> None:
    model, consumer = world.model(price=10), world.consumer(credits_=100)
    world.ended(consumer, world.run(consumer, model))
    earned = model.developer.ok("GET", "/api/studio/auth/me")
    assert (earned["totalEarnings"], earned["pendingPayout"]) == (7, 7)


def test_w33_what_is_earned_waits_then_is_due_then_is_paid_and_each_is_told_apart(
    world: World,
) -> None:
    model = world.model(price=1000)
    consumer, developer = world.consumer(credits_=10_000), model.developer
    for _ in range(10):
        world.ended(consumer, world.run(consumer, model))
    connect(world, developer)
    told = [earnings(developer)]
    world.clock.shift += timedelta(days=8)
    told.append(earnings(developer))
    world.stripe.top_up(100_000)
    developer.ok("POST", "/api/studio/payouts/request", {"amount": 5000})
    told.append(earnings(developer))
    assert told == [(7000, 7000, 0, 0), (7000, 0, 7000, 0), (7000, 0, 2000, 5000)]


def connect(world: World, developer: Caller) -> None:
    """Has the developer's account at Stripe opened and completed."""
    developer.ok("POST", "/api/studio/payouts/connect-stripe", {"country": "US"})
    ((account,),) = world.sql("SELECT account_id FROM payout_accounts")
    world.stripe.onboard(account)
    assert developer.ok("GET", "/api/studio/payouts/account")["payoutsEnabled"]


def earnings(developer: Caller) -> tuple[int, int, int, int]:
    """Earned in all, waiting, due, paid out."""
    shown = developer.ok("GET", "/api/studio/earnings")
    names = ("totalEarned", "pendingBalance", "availableBalance", "totalPaidOut")
    total, waiting, due, paid = (shown[name] for name in names)
    return total, waiting, due, paid


def test_w34_one_payment_is_one_purchase_whatever_is_replayed(world: World) -> None:
    consumer = world.consumer()
    purchase = world.bought(consumer, 500)
    world.stripe.settle()
    for event in world.stripe.events():
        world.stripe.resend(event["id"])
    world.stripe.settle()
    assert consumer.ok("GET", f"/api/marketplace/credits/purchases/{purchase['id']}")["amountPaid"]
    assert world.balance(consumer) == 500
    assert len(consumer.ok("GET", "/api/marketplace/credits/statement")) == 1


@pytest.mark.parametrize("what", ["purchase", "run", "payout"])
def test_w35_what_is_sent_twice_under_one_key_is_done_once(world: World, what: str) -> None:
    model, consumer = world.model(price=1000), world.consumer(credits_=10_000)
    if what == "payout":
        for _ in range(10):
            world.ended(consumer, world.run(consumer, model))
        connect(world, model.developer)
        world.clock.shift += timedelta(days=8)
        world.stripe.top_up(100_000)
    caller, path, body, name, other = {
        "purchase": (
            consumer, "/api/marketplace/credits/purchase", {"amountCents": 500}, "id",
            {"amountCents": 600},
        ),
        "run": (
            consumer, f"/api/marketplace/models/{model.slug}/run",
            {"inputs": {"prompt": "a lighthouse"}}, "executionId",
            {"inputs": {"prompt": "a ship"}},
        ),
        "payout": (
            model.developer, "/api/studio/payouts/request", {"amount": 5000}, "id",
            {"amount": 6000},
        ),
    }[what]  # fmt: skip
    key = {"Idempotency-Key": "one click"}
    first, second = (caller.ok("POST", path, body, **key) for _ in range(2))
    assert first[name] == second[name]
    error = caller.refused(422, "POST", path, other, **key)
    assert error["code"] == "IDEMPOTENCY_KEY_REUSED"
    for bad in ("", "k" * 256):
        assert caller.refused(400, "POST", path, body, **{"Idempotency-Key": bad})
    if what == "run":
        world.ended(consumer, first["executionId"])


def test_w34_what_was_spent_is_counted_and_every_credit_is_in_the_books(world: World) -> None:
    consumer, _ = finished(world, price=10)
    me = consumer.ok("GET", "/api/marketplace/auth/me")
    assert (me["totalCreditsSpent"], me["runCount"], me["creditsBalance"]) == (10, 1, 90)
    assert world.violations() == []


def test_w51_the_seed_names_no_endpoint_of_anybodys_runpod_account() -> None:
    catalogue = yaml.safe_load((ROOT / "infra" / "catalog.yaml").read_text())
    for endpoint in catalogue["endpoints"].values():
        assert re.fullmatch(r"RUNPOD_EP_[A-Z0-9_]+", endpoint["env"])
        assert not {"id", "runpod_endpoint_id"} & set(endpoint)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that are in memory when every function has been loaded."""
    names = ("admin", "callback", "cleanup", "marketplace", "studio", "tasks")
    program = "\n".join(
        ["import sys", *(f"import functions.{name}.main" for name in names), "print(*sys.modules)"]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_w82_serving_a_request_has_nothing_to_do_with_migrations(loaded: set[str]) -> None:
    assert not [name for name in loaded if name.startswith(("alembic", "migrations"))]


def test_w83_nothing_of_storage_is_needed_or_loaded_before_it_is_used(loaded: set[str]) -> None:
    assert Settings().output_bucket
    assert not {"google.cloud.storage", "firebase_admin", "google.cloud.tasks_v2"} & loaded


def named_tests() -> dict[str, set[str]]:
    """The names of all test functions by file."""
    found = {}
    for file in TESTS.rglob("test_*.py"):
        tree = ast.parse(file.read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        found[file.relative_to(TESTS).as_posix()] = {n for n in names if n.startswith("test_")}
    return found


def test_every_row_of_the_list_has_a_test_or_belongs_to_a_later_part() -> None:
    tests = named_tests()
    named = {
        int(number)
        for names in tests.values()
        for name in names
        for number in re.findall(r"(?<![a-z])w(\d\d)(?!\d)", name)
    }
    assert [name for file, name in ELSEWHERE.values() if name not in tests[file]] == []
    assert IDS - named - set(ELSEWHERE) - set(LATER) == set()
    assert named - IDS == set()
    assert named & set(LATER) == set()
