"""What is logged about a request: enough to find it again, nothing that is not ours to keep."""

import json
import uuid
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.test import Client

from common import logs
from common.db import Database
from common.errors import Unavailable
from tests.functions.callers import People
from tests.http.sample import client_of, make_sample
from tests.world import World

TRACE = "0123456789abcdef0123456789abcdef"
SECRET = "hunter" + "2"  # in two parts: tracebacks quote the source
Captured = pytest.CaptureFixture[str]


def lines(captured: Captured) -> list[dict[str, Any]]:
    """What was written to standard output; every line must be one JSON object."""
    found = [json.loads(line) for line in captured.readouterr().out.splitlines()]
    assert all(isinstance(line, dict) for line in found)
    return found


def test_w81_a_request_is_one_line_of_json(sample: Client, capsys: Captured) -> None:
    sample.get(
        "/things/secret-name?key=secret-value",
        headers={
            "X-Request-ID": "call-0042",
            "X-Cloud-Trace-Context": f"{TRACE}/123;o=1",
            "Authorization": "Bearer secret-token",
        },
    )
    (line,) = lines(capsys)
    assert line.pop("durationMs") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "severity": "INFO",
        "message": "request",
        "logger": "tarsify.http",
        "function": "sample",
        "requestId": "call-0042",
        "logging.googleapis.com/trace": f"projects/tarsify-local/traces/{TRACE}",
        "route": "/things/<name>",
        "method": "GET",
        "status": 200,
    }


@pytest.mark.parametrize("trace", ["", "nonsense", "../../x/1", TRACE + "0/1", "{}\n{}"])
def test_a_trace_that_is_none_is_left_out(sample: Client, capsys: Captured, trace: str) -> None:
    sample.get("/things/x", environ_overrides={"HTTP_X_CLOUD_TRACE_CONTEXT": trace})
    assert "logging.googleapis.com/trace" not in lines(capsys)[0]


def test_a_failure_is_logged_with_its_trace_and_the_same_request_id(
    sample: Client, capsys: Captured
) -> None:
    answered = sample.get("/secrets/x").get_json()["error"]["requestId"]
    failure, request = lines(capsys)
    assert (failure["severity"], failure["message"]) == ("ERROR", "unexpected error")
    assert "in fail" in failure["exception"]
    assert failure["requestId"] == request["requestId"] == answered
    assert (request["severity"], request["status"]) == ("INFO", 500)


def test_a_503_is_logged_as_our_failure_and_a_404_is_not(capsys: Captured) -> None:
    app = make_sample()

    @app.route("GET", "/down", guard=None)
    def down(_call: Any) -> Any:
        """Is down."""
        raise Unavailable from ConnectionError("db.internal:5432 refused")

    client = client_of(app)
    assert "db.internal" not in client.get("/down").text
    failure, _ = lines(capsys)
    assert (failure["severity"], failure["message"]) == ("ERROR", "request failed")
    assert "ConnectionError: db.internal:5432 refused" in failure["exception"]
    client.get("/nothing")
    (line,) = lines(capsys)
    assert (line["severity"], line["status"]) == ("INFO", 404)


def test_levels_below_the_configured_one_are_silent(capsys: Captured) -> None:
    client_of(make_sample()).get("/things/x")
    assert len(lines(capsys)) == 1
    app = make_sample()
    quiet = app._settings().model_copy(update={"log_level": "ERROR"})
    app._settings = lambda: quiet
    client_of(app).get("/things/x")
    assert lines(capsys) == []


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "idToken",
        "authorization",
        "webhookUrl",
        "clientSecret",
        "password",
        "promptPrefix",
        "RUNPOD_API_KEY",
    ],
)
def test_a_field_that_sounds_secret_is_not_written(capsys: Captured, name: str) -> None:
    logs.configure("INFO")
    logs.Log("test").info("something", **{name: "hunter2"}, harmless="shown")
    (line,) = lines(capsys)
    assert (line[name], line["harmless"]) == ("[redacted]", "shown")


def test_a_message_cannot_forge_another_line(capsys: Captured) -> None:
    logs.configure("INFO")
    logs.Log("test").info("something", name='x"}\n{"severity":"CRITICAL"\u2028\ud800')
    (line,) = lines(capsys)
    assert line["severity"] == "INFO"


def test_fields_of_a_context_end_with_it(capsys: Captured) -> None:
    logs.configure("INFO")
    with logs.log_context(executionId="e1"):
        logs.add_to_log(attempt=2)
        logs.Log("test").info("inside")
    logs.Log("test").info("outside")
    inside, outside = lines(capsys)
    assert (inside["executionId"], inside["attempt"]) == ("e1", 2)
    assert "executionId" not in outside


def test_a_database_error_is_logged_without_the_row_that_it_quotes(
    db: Database, capsys: Captured
) -> None:
    logs.configure("INFO")
    statement = text("INSERT INTO developers (firebase_uid, bio, country) VALUES (:uid, :bio, 'x')")
    try:
        with db.transaction() as session:
            session.execute(statement, {"uid": "u1", "bio": SECRET})
    except DBAPIError as error:
        logs.Log("test").error("refused", exception=error)
    (line,) = lines(capsys)
    assert "23514" in line["exception"]
    assert "ck_developers_country" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_a_validation_error_is_logged_without_the_input_that_it_quotes(capsys: Captured) -> None:
    class Strict(BaseModel):
        count: int

    logs.configure("INFO")
    try:
        Strict.model_validate({"count": SECRET})
    except ValueError as error:
        logs.Log("test").error("refused", exception=error)
    (line,) = lines(capsys)
    assert "count: int_parsing" in line["exception"]
    assert SECRET not in json.dumps(line)


def test_the_callbacks_token_is_never_logged(people: People, apps: Any, capsys: Captured) -> None:
    token = "callback-token-hunter2"
    for attempt in (str(uuid.uuid4()), "nonsense"):
        path = f"/api/webhooks/runpod/{attempt}/{token}"
        response = apps("callback").test_client().post(path, json={"id": "job-1"})
        assert response.status_code == 404
    found = lines(capsys)
    assert {line["route"] for line in found} == {"/runpod/<attempt>/<token>"}
    assert "hunter2" not in json.dumps(found)


def test_a_whole_run_leaves_no_prompt_and_no_token_in_the_log(
    world: World, capsys: Captured
) -> None:
    talkative = world.runtime.settings.model_copy(update={"log_level": "DEBUG"})
    world.runtime.settings = talkative
    model = world.model(overrides={"promptPrefix": "hidden-prefix "})
    consumer = world.consumer(credits_=100)
    assert model.developer.token is not None
    assert consumer.token is not None
    run = world.run(consumer, model, prompt="private-prompt")
    world.ended(consumer, run)
    webhook = world.jobs(model)[0]["webhook"]
    output = capsys.readouterr().out
    requests = [json.loads(line) for line in output.splitlines()]
    assert any(line.get("executionId") == run for line in requests)
    for secret in ("private-prompt", "hidden-prefix", "Bearer", webhook.rpartition("/")[2]):
        assert secret not in output
