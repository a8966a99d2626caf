"""GPU time: what runs are estimated to have cost, and RunPod's bill beside it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.payments.stripe_mail import configured
from tests.world import SDXL_OUTPUT, Model, World

SPEC = json.loads((Path(__file__).parent / "runpod_billing.json").read_text())
ANSWER = Draft202012Validator(
    {"$ref": "#/components/schemas/ListServerlessBillingResponse", **SPEC}
)
AMOUNTS = ("totalAmount", "gpuAmount", "cpuAmount", "diskAmount", "feeAmount")
KEY = "management-key"


class Bills:
    """RunPod's GET /billing/serverless, in the form of its specification."""

    def __init__(self) -> None:
        self.dollars: dict[str, float] = {}
        self.of_day: dict[str, dict[str, float]] = {}
        self.asked: list[dict[str, str]] = []
        self.status = 200

    def answer(self, request: Request) -> Response:
        assert (request.method, request.path) == ("GET", "/v2/billing/serverless")
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        self.asked.append(request.args.to_dict())
        if self.status != 200:
            return Response("{}", self.status, content_type="application/problem+json")
        return Response(json.dumps(self.body(self.asked[-1])), content_type="application/json")

    def body(self, query: dict[str, str]) -> dict[str, Any]:
        """Each endpoint's day in two records, since a bill may come in parts."""
        span = {"startTime": query["startTime"], "endTime": query["endTime"]}
        dollars_of = self.of_day.get(query["startTime"][:10], self.dollars)
        records: list[dict[str, Any]] = [
            {**span, "serverlessId": endpoint, **dict.fromkeys(AMOUNTS, 9.5), "gpuAmount": half}
            for endpoint, dollars in dollars_of.items()
            for half in (dollars / 2, dollars / 2)
        ]
        metadata = {
            "query": span | {"bucketSize": query["bucketSize"], "serverlessId": None},
            "recordCount": len(records),
            "uniqueServerlessCount": len(dollars_of),
            "totals": {name: sum(each[name] for each in records) for name in AMOUNTS},
        }
        answer = {"records": records, "metadata": metadata}
        ANSWER.validate(answer)
        return answer


@contextmanager
def serving(bills: Bills) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, Request.application(bills.answer), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v2"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def bills(world: World) -> Iterator[Bills]:
    made = Bills()
    with (
        serving(made) as url,
        configured(world, runpod_management_url=url, runpod_management_key=KEY),
    ):
        yield made


def ran(world: World, *, seconds: int, gpu_class: str | None = "AMPERE_48") -> Model:
    """A model with a run of so many GPU seconds, of the day before."""
    model, consumer = world.model(price=1000, gpuClass=gpu_class), world.consumer(credits_=1000)
    behaviour = {"mode": "script", "run_ms": seconds * 1000, "output": SDXL_OUTPUT}
    world.simulator.behave(model.endpoint_id, behaviour)
    run = world.run(consumer, model)
    world.advance(seconds + 60, step=30)
    world.ended(consumer, run)
    return model


def next_day(world: World) -> datetime:
    """The next day at noon."""
    now = world.clock.now()
    world.clock.shift += now.replace(hour=12, minute=0, second=0) + timedelta(days=1) - now
    return world.clock.now()


def listed(world: World) -> list[tuple[str, int | None, int | None]]:
    shown = world.staff.ok("GET", "/api/admin/differences")
    assert {each["kind"] for each in shown} <= {"GPU time at RunPod"}
    return [(each["what"], each["ours"], each["theirs"]) for each in shown]


def cost(world: World) -> int:
    """Millionths of a dollar, of all runs."""
    total = "SELECT coalesce(sum(gpu_micro_usd), 0)::bigint FROM executions"
    return int(world.sql(total)[0][0])


def test_yesterdays_bill_is_compared_by_endpoint_and_listed_while_it_differs(
    world: World, bills: Bills
) -> None:
    model = ran(world, seconds=300)
    yesterday = world.clock.now().date()
    assert cost(world) == 300 * 340
    next_day(world)
    bills.dollars = {model.endpoint_id: 0.12}  # 10.2 cents by our seconds
    world.scheduled("/reconcile")
    assert listed(world) == []
    asked = bills.asked[-1]
    assert asked["startTime"].startswith(f"{yesterday}T00:00:00")
    assert asked["endTime"].startswith(f"{yesterday + timedelta(days=1)}T00:00:00")

    bills.dollars = {model.endpoint_id: 0.90, "unknown": 2.5}
    for _ in range(2):
        world.scheduled("/reconcile")
    assert sorted(listed(world)) == [
        (f"{model.endpoint_id} {yesterday}", 10, 90),
        (f"unknown {yesterday}", 0, 250),
    ]
    bills.dollars = {model.endpoint_id: 0.12}
    world.scheduled("/reconcile")
    assert listed(world) == []


def test_a_days_difference_stays_until_that_day_agrees_whatever_the_next_day_brings(
    world: World, bills: Bills
) -> None:
    model = ran(world, seconds=300)
    day = str(world.clock.now().date())
    next_day(world)
    bills.of_day = {day: {model.endpoint_id: 0.90}}
    world.scheduled("/reconcile")
    apart = (f"{model.endpoint_id} {day}", 10, 90)
    assert listed(world) == [apart]
    for _ in range(2):  # nothing ran, and nothing was billed
        next_day(world)
        world.scheduled("/reconcile")
        assert listed(world) == [apart]
    bills.of_day = {day: {model.endpoint_id: 0.11}}
    world.scheduled("/reconcile")
    assert listed(world) == []


def test_runs_that_runpod_did_not_bill_are_listed(world: World, bills: Bills) -> None:
    model = ran(world, seconds=300)
    yesterday = world.clock.now().date()
    next_day(world)
    world.scheduled("/reconcile")
    assert listed(world) == [(f"{model.endpoint_id} {yesterday}", 10, 0)]


def test_while_runpods_bills_cannot_be_read_nothing_is_listed_or_cleared(
    world: World, bills: Bills
) -> None:
    ran(world, seconds=300)
    next_day(world)
    bills.status = 500
    world.scheduled("/reconcile")
    assert listed(world) == []
    bills.status = 200
    world.scheduled("/reconcile")
    (found,) = listed(world)
    bills.status = 429
    world.scheduled("/reconcile")
    assert listed(world) == [found]


def test_without_a_management_key_nothing_is_asked(world: World) -> None:
    bills = Bills()
    with (
        serving(bills) as url,
        configured(world, runpod_management_url=url, runpod_management_key=""),
    ):
        world.scheduled("/reconcile")
    assert bills.asked == []


def test_a_run_keeps_the_gpu_price_it_was_started_at_and_margins_follow_from_it(
    world: World,
) -> None:
    ran(world, seconds=300)
    dearer = {
        "gpuClass": "AMPERE_48",
        "microUsdPerSecond": 1000,
        "since": world.clock.now().isoformat(),
    }
    world.staff.ok("POST", "/api/admin/gpu-prices", dearer)
    refused = world.staff.refused(409, "POST", "/api/admin/gpu-prices", dearer)
    assert refused["code"] == "CONFLICT"
    assert cost(world) == 300 * 340
    dear = ran(world, seconds=600)
    assert cost(world) == 300 * 340 + 600 * 1000
    free = ran(world, seconds=300, gpu_class=None)  # nobody said what it runs on
    margins = world.staff.ok("GET", "/api/admin/margins")
    shown = {each["modelSlug"]: (each["gpuCostCents"], each["marginCents"]) for each in margins}
    assert shown[dear.slug] == (60.0, 240.0)
    assert shown[free.slug] == (0.0, 300.0)
    assert next(iter(shown)) == dear.slug  # the worst first
    assert {each["chargedRuns"] for each in margins} == {1}
    later = (world.clock.now() + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert world.staff.ok("GET", f"/api/admin/margins?from={later}") == []


def test_a_gpu_price_of_the_future_is_not_used_before_its_day(world: World) -> None:
    tomorrow = (world.clock.now() + timedelta(days=1)).isoformat()
    order = {"gpuClass": "AMPERE_48", "microUsdPerSecond": 9999, "since": tomorrow}
    world.staff.ok("POST", "/api/admin/gpu-prices", order)
    ran(world, seconds=100)
    assert cost(world) == 100 * 340


def test_the_gpu_price_on_a_run_is_frozen_even_for_the_owner(world: World) -> None:
    ran(world, seconds=30)
    engine = create_engine(world.settings.database_url)
    with engine.connect() as connection, pytest.raises(DatabaseError, match="terms"):
        connection.execute(text("UPDATE executions SET gpu_micro_usd_per_second = 1"))
    engine.dispose()
