"""The Cloud Tasks client against the stand-in, over its real protocol."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import get_args, get_type_hints

import jwt
import pytest

from common.boundary import session_open
from common.executions.alarms import set_alarm
from common.gateways.tasks import KINDS, TaskNotCreated, Tasks, Wake
from common.settings import Settings
from infra.local.ports import free_port
from infra.local.tasks.running import RunningTasks, running_tasks
from tests.gateways.origin import Origin

QUEUE = "projects/tarsify-local/locations/us-central1/queues/executions-poll"
QUEUES = [QUEUE, QUEUE.replace("poll", "submit"), QUEUE.replace("poll", "timeout")]
QUEUES.append(QUEUE.replace("poll", "deliver"))
INVOKER = "invoker@tarsify-local.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def queue() -> Iterator[RunningTasks]:
    with running_tasks(queues=QUEUES, manual=True) as running:
        yield running


def client(target: str, **settings: str) -> Tasks:
    return Tasks(
        Settings.model_validate(
            {
                "cloud_tasks_emulator_host": target,
                "tasks_target_url": "http://127.0.0.1:9/",
                "invoker_email": INVOKER,
                **settings,
            }
        )
    )


def wake(seconds: float = 60) -> Wake:
    return Wake("/poll", b'{"executionId": "1"}', datetime.now(UTC) + timedelta(seconds=seconds))


def test_a_wake_up_waits_in_the_queue_until_its_time(queue: RunningTasks) -> None:
    asked = wake()
    client(queue.target).create(asked)
    (task,) = queue.waiting()
    assert task.queue == QUEUE
    assert task.url == "http://127.0.0.1:9/poll"
    assert task.body == asked.body
    assert task.headers == {"Content-Type": "application/json"}
    assert task.due == pytest.approx(asked.at.timestamp(), abs=0.001)
    queue.drop(task.name)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_alarm_has_a_queue_of_its_own(queue: RunningTasks, kind: str) -> None:
    client(queue.target).create(Wake(f"/{kind}", b"{}", wake().at))
    (task,) = queue.waiting()
    assert task.queue.endswith(f"/queues/executions-{kind}")
    assert task.url.endswith(f"/{kind}")
    queue.drop(task.name)


def test_an_alarm_is_of_a_kind_that_has_a_queue() -> None:
    paths = get_args(get_type_hints(set_alarm)["path"])
    kinds = [path.removeprefix("/") for path in paths]
    assert sorted([*kinds, "deliver"]) == sorted(KINDS)


def test_it_arrives_as_a_post_that_proves_whose_it_is(queue: RunningTasks, origin: Origin) -> None:
    asked = wake(-1)
    client(queue.target, tasks_target_url=origin.url).create(asked)
    assert [attempt.status for attempt in queue.deliver_all_due()] == [200]
    (seen,) = origin.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/poll", asked.body)
    token = seen.headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["email"], claims["aud"]) == (INVOKER, origin.url)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"tasks_queue": "another"}, "NOT_FOUND"), ({"tasks_target_url": "ftp://x"}, "INVALID")],
)
def test_what_the_queue_refuses_is_told_by_its_status(
    queue: RunningTasks, settings: dict[str, str], reason: str
) -> None:
    with pytest.raises(TaskNotCreated, match=reason):
        client(queue.target, **settings).create(wake())
    assert queue.waiting() == []


def test_a_queue_that_is_away_is_told_too() -> None:
    with pytest.raises(TaskNotCreated, match="UNAVAILABLE"):
        client(f"127.0.0.1:{free_port()}").create(wake())


def test_no_task_is_made_while_a_database_session_is_open(queue: RunningTasks) -> None:
    with session_open(), pytest.raises(RuntimeError, match="inside a database session"):
        client(queue.target).create(wake())
    assert queue.waiting() == []
