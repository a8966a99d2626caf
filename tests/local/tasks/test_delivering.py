"""What a target sees, and what its answer brings about."""

import datetime as dt
import json
import time

import jwt
import pytest
from google.auth.transport.requests import Request
from google.cloud import tasks_v2
from google.oauth2 import id_token

from infra.local.tasks.__main__ import queue_of
from infra.local.tasks.running import RunningTasks, running_tasks
from tests.local.tasks.target import QUEUE, Target, eventually, task_for

Held = tuple[RunningTasks, tasks_v2.CloudTasksClient]
INVOKER = "task-invoker@p.iam.gserviceaccount.com"


def in_(**delay: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(**delay)


def test_a_task_arrives_at_once_with_its_body_and_cloud_tasks_headers(
    automatic: tasks_v2.CloudTasksClient, target: Target
) -> None:
    name = automatic.create_task(parent=QUEUE, task=task_for(target.url)).name
    target.wait_for(1)
    verb, headers, body = target.requests[0]
    assert (verb, json.loads(body)) == ("POST", {"n": 1})
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "Google-Cloud-Tasks"
    assert headers["X-CloudTasks-QueueName"] == "q"
    assert headers["X-CloudTasks-TaskName"] == name.rpartition("/")[2]
    assert headers["X-CloudTasks-TaskRetryCount"] == "0"
    assert headers["X-CloudTasks-TaskExecutionCount"] == "0"
    assert abs(float(headers["X-CloudTasks-TaskETA"]) - time.time()) < 5


def test_a_scheduled_task_waits_for_its_time(
    automatic: tasks_v2.CloudTasksClient, target: Target
) -> None:
    due = in_(seconds=0.3)
    automatic.create_task(parent=QUEUE, task=task_for(target.url, schedule_time=due))
    automatic.create_task(parent=QUEUE, task=task_for(target.url + "/first"))
    target.wait_for(1)
    assert dt.datetime.now(dt.UTC) < due
    target.wait_for(2)
    assert dt.datetime.now(dt.UTC) >= due


def test_the_identity_token_passes_googles_own_verification(held: Held, target: Target) -> None:
    running, client = held
    task = task_for(target.url)
    task.http_request.oidc_token = tasks_v2.OidcToken(
        service_account_email=INVOKER, audience="https://internal.example"
    )
    client.create_task(parent=QUEUE, task=task)
    running.deliver_next()
    token = target.requests[0][1]["Authorization"].removeprefix("Bearer ")
    claims = id_token.verify_token(
        token, Request(), audience="https://internal.example", certs_url=running.certs_url
    )
    assert (claims["email"], claims["email_verified"]) == (INVOKER, True)
    assert claims["iss"] == "https://accounts.google.com"
    with pytest.raises(ValueError, match="audience"):
        id_token.verify_token(token, Request(), audience="other", certs_url=running.certs_url)


def test_the_identity_tokens_key_is_in_the_served_key_set(held: Held, target: Target) -> None:
    running, client = held
    task = task_for(target.url)
    task.http_request.oidc_token = tasks_v2.OidcToken(service_account_email=INVOKER)
    client.create_task(parent=QUEUE, task=task)
    running.deliver_next()
    token = target.requests[0][1]["Authorization"].removeprefix("Bearer ")
    keys = jwt.PyJWKClient(running.certs_url.replace("/v1/", "/v3/"))
    claims = jwt.decode(
        token, keys.get_signing_key_from_jwt(token), algorithms=["RS256"], audience=target.url
    )
    assert claims["email"] == INVOKER


def test_a_failed_task_comes_again_later_each_time_until_it_is_given_up(target: Target) -> None:
    queue = queue_of(f"{QUEUE},max_attempts=4,min_backoff=10,max_backoff=30")
    target.answers = [(500, {})] * 4
    with running_tasks(queues=[queue], manual=True) as running, running.client() as client:
        client.create_task(parent=QUEUE, task=task_for(target.url))
        waits = []
        while attempt := running.deliver_next():
            waits += [round(task.due - attempt.at) for task in running.waiting()]
    assert waits == [10, 20, 30]
    assert [it[1]["X-CloudTasks-TaskRetryCount"] for it in target.requests] == list("0123")
    assert target.requests[3][1]["X-CloudTasks-TaskPreviousResponse"] == "500"


def test_the_wait_a_target_asks_for_is_respected(held: Held, target: Target) -> None:
    running, client = held
    target.answers = [(429, {"Retry-After": "77"})]
    client.create_task(parent=QUEUE, task=task_for(target.url))
    attempt = running.deliver_next()
    assert attempt is not None
    assert running.waiting()[0].due - attempt.at == pytest.approx(77, abs=0.01)


def test_a_target_that_is_down_is_tried_again(held: Held) -> None:
    running, client = held
    client.create_task(parent=QUEUE, task=task_for("http://127.0.0.1:1/"))
    attempt = running.deliver_next()
    assert attempt is not None
    assert attempt.status is None
    assert running.waiting()[0].attempts == 1


def test_an_automatic_queue_retries_by_itself(
    automatic: tasks_v2.CloudTasksClient, target: Target
) -> None:
    target.answers = [(503, {}), (500, {})]
    automatic.create_task(parent=QUEUE, task=task_for(target.url))
    target.wait_for(3)
    eventually(lambda: not list(automatic.list_tasks(parent=QUEUE)))


def test_a_paused_queue_holds_its_tasks_until_it_is_resumed(
    automatic: tasks_v2.CloudTasksClient, target: Target
) -> None:
    automatic.pause_queue(name=QUEUE)
    automatic.create_task(parent=QUEUE, task=task_for(target.url))
    time.sleep(0.1)
    assert target.requests == []
    automatic.resume_queue(name=QUEUE)
    target.wait_for(1)


def test_running_a_task_does_not_wait_for_its_time(
    automatic: tasks_v2.CloudTasksClient, target: Target
) -> None:
    task = task_for(target.url, schedule_time=in_(hours=1))
    automatic.run_task(name=automatic.create_task(parent=QUEUE, task=task).name)
    target.wait_for(1)


def test_a_queue_dispatches_no_more_at_once_than_it_may(target: Target) -> None:
    target.slow = 0.15
    with (
        running_tasks(queues=[queue_of(f"{QUEUE},max_concurrent_dispatches=2")]) as running,
        running.client() as client,
    ):
        for _ in range(3):
            client.create_task(parent=QUEUE, task=task_for(target.url))
        target.wait_for(2)
        time.sleep(0.05)
        assert len(target.requests) == 2
        target.wait_for(3)


def test_only_what_is_due_by_the_given_time_is_delivered(held: Held, target: Target) -> None:
    running, client = held
    for minutes in (1, 5, 60):
        when = in_(minutes=minutes)
        client.create_task(parent=QUEUE, task=task_for(target.url, schedule_time=when))
    assert running.deliver_all_due() == []
    assert len(running.deliver_all_due(in_(minutes=10))) == 2
    assert len(running.waiting()) == 1


def test_a_lost_answer_brings_the_task_a_second_time(held: Held, target: Target) -> None:
    running, client = held
    name = client.create_task(parent=QUEUE, task=task_for(target.url)).name
    running.deliver(name, lose_answer=True)
    running.deliver(name)
    assert len(target.requests) == 2
    assert running.waiting() == []


def test_a_dropped_task_never_arrives(held: Held, target: Target) -> None:
    running, client = held
    running.drop(client.create_task(parent=QUEUE, task=task_for(target.url)).name)
    assert running.deliver_next() is None
    assert target.requests == []


def test_a_released_queue_sends_what_was_held(target: Target) -> None:
    with running_tasks(queues=[QUEUE], manual=True) as running, running.client() as client:
        client.create_task(parent=QUEUE, task=task_for(target.url))
        running.release()
        target.wait_for(1)
