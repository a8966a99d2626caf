"""The compatibility rules K1 to K17 of the contract, one or more tests each."""

import http.client
import posixpath
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from common.settings import Settings
from infra.local.front_door import FrontDoor
from tests.contract.studio_client import (
    CATEGORIES,
    STATUSES,
    Refused,
    StudioClient,
    card,
    exchange,
    form,
    listed,
    rendered,
    shown_date,
)
from tests.http.functions import APPS
from tests.world import PROMPT_SCHEMA, World

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ME = "/api/studio/auth/me"
PROFILE = "/api/studio/auth/profile"
MODELS = "/api/studio/tars-models"
CALLS = [
    ("GET", ME),
    ("POST", "/api/studio/auth/register"),
    ("PUT", PROFILE),
    ("POST", "/api/studio/auth/complete-profile"),
    ("GET", f"{MODELS}/base-models"),
    ("GET", MODELS),
    ("GET", f"{MODELS}/some-id"),
    ("POST", MODELS),
    ("PUT", f"{MODELS}/some-id"),
    ("DELETE", f"{MODELS}/some-id"),
    ("POST", f"{MODELS}/some-id/publish"),
    ("POST", f"{MODELS}/some-id/test-run"),
]


@pytest.fixture
def ada(world: World) -> StudioClient:
    """A developer's browser, which retries each failed call once."""
    client = StudioClient(world.base, "developers:ada", retry=True)
    client.post("/api/studio/auth/register", {"email": "", "displayName": "Ada"})
    return client


def new_model(world: World, client: StudioClient, **changes: Any) -> str:
    base_id, _ = world.base_model()
    body = {"baseModelId": base_id, "title": "Neon", "slug": "neon", "priceCredits": 10}
    return str(client.post(MODELS, body | changes)["id"])


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_k1_one_origin_leads_every_call_to_a_route(method: str, path: str) -> None:
    assert FrontDoor.read().function_for(path) == "studio"
    route, _ = APPS["studio"].table.match(method, path.removeprefix("/api/studio"))
    assert route.guard is not None


def test_k1_every_prefix_of_the_contract_leads_to_a_function() -> None:
    door = FrontDoor.read()
    expected = {
        "/health": "marketplace",
        "/health/ready": "marketplace",
        "/api/public": "marketplace",
        "/api/marketplace": "marketplace",
        "/api/consumer/executions": "marketplace",
        "/api/developer/tars-models": "studio",
        "/api/admin/endpoints": "admin",
        "/api/webhooks/runpod/a/b": "callback",
    }
    assert {path: door.function_for(path) for path in expected} == expected


def test_k2_bodies_are_enveloped_and_errors_carry_a_message(
    world: World, ada: StudioClient
) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {ada.token}"}
    _, _, body = exchange(world.base, "GET", ME, headers)
    assert body.startswith('{"success":true,"data":{')
    with pytest.raises(Refused) as refused:
        ada.get(f"{MODELS}/00000000-0000-4000-8000-000000000000")
    assert refused.value.message == "There is no such model."


def test_k3_a_list_of_models_has_data_and_truthy_meta(world: World, ada: StudioClient) -> None:
    empty = ada.get(MODELS)
    assert empty["pagination"]
    new_model(world, ada)
    assert [card(each)["title"] for each in listed(ada.get(MODELS))] == ["Neon"]


def test_k4_base_models_are_an_object_with_a_list(world: World, ada: StudioClient) -> None:
    assert ada.get(f"{MODELS}/base-models") == {"baseModels": []}
    world.base_model()
    assert len(ada.get(f"{MODELS}/base-models")["baseModels"]) == 1


def test_k5_a_delete_with_a_json_type_and_neither_body_nor_length_is_a_204(
    world: World, ada: StudioClient
) -> None:
    path = f"{MODELS}/{new_model(world, ada)}"
    parts = urlsplit(world.base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.putrequest("DELETE", path, skip_accept_encoding=True)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Authorization", f"Bearer {ada.token}")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.read()) == (204, b"")
    connection.close()


@pytest.mark.parametrize("price", [1, 10, 10_000, 10.0])
def test_k6_a_price_is_stored_and_shown_everywhere(
    world: World, ada: StudioClient, price: float
) -> None:
    model = f"{MODELS}/{new_model(world, ada, priceCredits=price)}"
    ada.put(model, {"title": "Neon", "priceCredits": price})
    shown = [ada.get(model), *listed(ada.get(MODELS))]
    assert [(each["priceCredits"], each["totalRuns"]) for each in shown] == [(int(price), 0)] * 2


@pytest.mark.parametrize("price", [0, 10_001, 9.5])
def test_k6_another_price_is_refused_in_words(
    world: World, ada: StudioClient, price: float
) -> None:
    with pytest.raises(Refused) as refused:
        new_model(world, ada, priceCredits=price)
    assert refused.value.message.startswith("priceCredits: must be ")


def test_k6_runs_are_counted(world: World, ada: StudioClient) -> None:
    model = f"{MODELS}/{new_model(world, ada)}"
    ada.post(f"{model}/publish", {"action": "publish"})
    consumer = world.consumer(credits_=100)
    started = consumer.ok(
        "POST", "/api/marketplace/models/neon/run", {"inputs": {"prompt": "a lighthouse"}}
    )
    world.ended(consumer, started["executionId"])
    assert ada.get(model)["totalRuns"] == 1


def test_k7_free_objects_carry_their_content(world: World, ada: StudioClient) -> None:
    overrides = {"defaultInputs": {"width": 768}, "promptPrefix": "neon, "}
    model = f"{MODELS}/{new_model(world, ada, configOverrides=overrides)}"
    shown = ada.get(model)
    assert shown["configOverrides"] == overrides
    assert shown["baseModel"]["inputSchema"] == PROMPT_SCHEMA
    run = ada.post(f"{model}/test-run", {"inputs": {"prompt": "x"}})
    assert run["output"]["outputs"][0]["mime"] == "image/png"
    ada.post(f"{model}/publish", {"action": "publish"})
    consumer = world.consumer(credits_=100)
    path = "/api/marketplace/models/neon/run"
    started = consumer.ok("POST", path, {"inputs": {"prompt": "a lighthouse", "seed": 3}})
    ended = world.ended(consumer, started["executionId"])
    assert ended["inputPayload"] == {"prompt": "a lighthouse", "seed": 3}
    assert ended["outputPayload"]["seed"] == 7
    error = consumer.refused(422, "POST", path, {"inputs": {"width": 5}})
    assert {each["field"] for each in error["details"]["errors"]} == {"prompt", "width"}


def test_k8_a_profile_is_kept_cleared_and_answered_whole(ada: StudioClient) -> None:
    before = ada.get(ME)
    whole = ada.put(PROFILE, {"displayName": "Ada", "bio": "B", "avatarUrl": "https://a.example/x"})
    assert set(whole) == set(before)
    assert (whole["bio"], whole["avatarUrl"]) == ("B", "https://a.example/x")
    cleared = ada.put(PROFILE, {"displayName": "Ada", "bio": None, "avatarUrl": None})
    assert (cleared["bio"], cleared["avatarUrl"]) == (None, None)
    assert ada.get(ME) == cleared


def test_k9_no_word_reaches_the_client_that_it_does_not_know(
    world: World, ada: StudioClient
) -> None:
    model = f"{MODELS}/{new_model(world, ada)}"
    seen = {ada.get(model)["status"]}
    for action in ("publish", "archive"):
        seen.add(ada.post(f"{model}/publish", {"action": action})["status"])
    assert seen == STATUSES
    base_id = ada.get(model)["baseModelId"]
    for category in CATEGORIES:
        world.staff.ok("PATCH", f"/api/admin/base-models/{base_id}", {"category": category})
        assert card(ada.get(model))
    for unknown in ("MUSIC", "image", "", None):
        path = f"/api/admin/base-models/{base_id}"
        world.staff.refused(400, "PATCH", path, {"category": unknown})


def test_k9_the_database_takes_no_other_word_either(world: World) -> None:
    found = world.sql(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'c' AND conname IN"
        " ('ck_tars_models_status', 'ck_base_models_category')"
    )
    words = {
        table: {word for word in STATUSES | CATEGORIES if word in rule} for table, rule in found
    }
    assert words == {"tars_models": STATUSES, "base_models": CATEGORIES}


def test_k10_every_item_of_every_list_has_readable_dates(world: World, ada: StudioClient) -> None:
    new_model(world, ada)
    for model in listed(ada.get(MODELS)):
        assert shown_date(model["createdAt"]) <= shown_date(model["updatedAt"])


def moments(value: Any) -> Iterator[Any]:
    """Every value whose name says that it is a moment, wherever it stands."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name.endswith("At") or name == "timestamp":
                yield item
            else:
                yield from moments(item)
    elif isinstance(value, list):
        for item in value:
            yield from moments(item)


def test_k10_every_moment_in_every_answer_has_milliseconds_and_z(
    world: World, ada: StudioClient
) -> None:
    model, consumer = world.model(), world.consumer(credits_=100)
    run = world.run(consumer, model)
    world.ended(consumer, run)
    answers = {
        "consumer": (consumer, ["auth/me", "runs", f"runs/{run}", f"runs/{run}/status", "models"]),
        "public": (consumer, [f"models/{model.slug}", "../../health", "../../health/ready"]),
        "developer": (model.developer, ["../studio/auth/me", "../studio/tars-models"]),
        "staff": (world.staff, ["../admin/endpoints", "../admin/base-models"]),
    }
    for caller, paths in answers.values():
        for path in paths:
            address = posixpath.normpath(f"/api/marketplace/{path}")
            found = [each for each in moments(caller.ok("GET", address)) if each is not None]
            assert found, address
            assert [each for each in found if not ISO.fullmatch(each)] == [], address


def test_k11_every_mutation_sent_twice_is_done_once(world: World, ada: StudioClient) -> None:
    base_id, endpoint = world.base_model()
    body = {"baseModelId": base_id, "title": "Neon", "slug": "neon", "priceCredits": 10}
    made, again = (ada.post(MODELS, body) for _ in range(2))
    assert made["id"] == again["id"]
    model = f"{MODELS}/{made['id']}"
    register = {"email": "", "displayName": "Ada"}
    repeated = [
        (ada.post, "/api/studio/auth/register", register),
        (ada.put, PROFILE, {"displayName": "Ada", "bio": None, "avatarUrl": None}),
        (ada.put, model, {"title": "Neon", "priceCredits": 11}),
        (ada.post, f"{model}/publish", {"action": "publish"}),
    ]
    for send, path, content in repeated:
        first, second = send(path, content), send(path, content)
        assert {**first, "updatedAt": ""} == {**second, "updatedAt": ""}
    runs = [ada.post(f"{model}/test-run", {"inputs": {"prompt": "x"}}) for _ in range(2)]
    assert runs[0]["jobId"] == runs[1]["jobId"]
    assert len(world.simulator.jobs(endpoint)) == 1
    ada.post(f"{model}/archive")
    assert [ada.delete(model), ada.delete(model)] == [None, None]


def test_k12_no_status_of_a_test_run_leaves_the_client_waiting(
    world: World, ada: StudioClient
) -> None:
    from common.executions.schemas import TestRun

    statuses = TestRun.model_json_schema()["properties"]["status"]["enum"]
    assert not {"IN_PROGRESS", "IN_QUEUE", "PENDING", "QUEUED", "RUNNING"} & set(statuses)
    run = ada.post(f"{MODELS}/{new_model(world, ada)}/test-run", {"inputs": {"prompt": "x"}})
    assert rendered(run, "IMAGE")[0] == "IMAGE"


def test_k13_fields_that_were_not_touched_get_their_defaults(
    world: World, ada: StudioClient
) -> None:
    base_id, endpoint = world.base_model()
    overrides = {"defaultInputs": {"width": 512}, "lockedInputs": {"seed": 5}, "promptSuffix": "!"}
    body = {"baseModelId": base_id, "title": "Neon", "slug": "neon", "priceCredits": 10}
    made = ada.post(MODELS, body | {"configOverrides": overrides})
    assert next(form(made)) == ("prompt", "string", True)
    ada.post(f"{MODELS}/{made['id']}/test-run", {"inputs": {"prompt": "a lighthouse"}})
    (job,) = world.simulator.jobs(endpoint)
    assert job["input"] == {
        "prompt": "a lighthouse!",
        "width": 512,
        "seed": 5,
        "num_inference_steps": 25,
    }


def test_k14_developers_sign_in_with_the_project_of_production() -> None:
    assert Settings().firebase_developers_project == "tarsify-studio"


@pytest.mark.parametrize(
    "origin",
    [
        "https://studio.tarsify.com",
        "https://tarsify.com",
        "http://localhost:3000",
        "http://localhost:3001",
    ],
)
def test_k15_the_contracts_origins_are_allowed_unless_configured_otherwise(origin: str) -> None:
    assert origin in Settings().cors_origins


def test_k15_a_browser_is_answered_before_anybody_signs_in(world: World) -> None:
    asked = {
        "Origin": "https://studio.tarsify.com",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    status, headers, _ = exchange(world.base, "OPTIONS", ME, asked)
    assert status == 204
    assert headers["access-control-allow-origin"] == "https://studio.tarsify.com"


def test_k16_a_published_model_accepts_its_own_title_and_price(
    world: World, ada: StudioClient
) -> None:
    model = f"{MODELS}/{new_model(world, ada)}"
    ada.post(f"{model}/publish", {"action": "publish"})
    ada.put(model, {"title": "Neon", "description": "Better words", "priceCredits": 10})
    assert ada.get(model)["description"] == "Better words"


def test_k17_an_archived_model_with_runs_can_be_deleted_and_its_runs_stay(
    world: World, ada: StudioClient
) -> None:
    model = f"{MODELS}/{new_model(world, ada)}"
    ada.post(f"{model}/publish", {"action": "publish"})
    consumer = world.consumer(credits_=100)
    path = "/api/marketplace/models/neon/run"
    run = consumer.ok("POST", path, {"inputs": {"prompt": "x"}})["executionId"]
    world.ended(consumer, run)
    ada.post(f"{model}/publish", {"action": "archive"})
    assert ada.delete(model) is None
    assert listed(ada.get(MODELS)) == []
    assert world.shown(consumer, run)["tarsModel"]["slug"] == "neon"


def test_k11_a_lost_answer_and_its_retry_at_the_same_moment_make_one_model(
    world: World, ada: StudioClient
) -> None:
    base_id, _ = world.base_model()
    body = {"baseModelId": base_id, "title": "Neon", "slug": "neon", "priceCredits": 10}
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(ada.post(MODELS, body)["id"])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1
