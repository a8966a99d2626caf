"""CreateTask and its neighbours, through Google's own client."""

import datetime as dt
import uuid

import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2

from infra.local.tasks.running import RunningTasks
from tests.local.tasks.target import QUEUE, Target, task_for

Held = tuple[RunningTasks, tasks_v2.CloudTasksClient]
URL = "http://127.0.0.1:1/never"


def fresh_name() -> str:
    return f"{QUEUE}/tasks/{uuid.uuid4().hex}"


def test_an_unnamed_task_gets_a_name_and_times_but_does_not_show_its_body(held: Held) -> None:
    _, client = held
    task = client.create_task(parent=QUEUE, task=task_for(URL))
    assert task.name.startswith(f"{QUEUE}/tasks/")
    assert abs(task.create_time.timestamp() - dt.datetime.now(dt.UTC).timestamp()) < 5
    assert task.dispatch_deadline == dt.timedelta(minutes=10)
    assert task.http_request.body == b""


def test_the_full_view_shows_the_body(held: Held) -> None:
    _, client = held
    name = client.create_task(parent=QUEUE, task=task_for(URL)).name
    full = client.get_task(request={"name": name, "response_view": tasks_v2.Task.View.FULL})
    assert full.http_request.body == b'{"n": 1}'


def test_a_waiting_tasks_name_cannot_be_used_again(held: Held) -> None:
    _, client = held
    name = fresh_name()
    client.create_task(parent=QUEUE, task=task_for(URL, name=name))
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=QUEUE, task=task_for(URL, name=name))


def test_a_name_stays_taken_after_the_task_is_done(held: Held, target: Target) -> None:
    running, client = held
    name = fresh_name()
    client.create_task(parent=QUEUE, task=task_for(target.url, name=name))
    running.deliver(name)
    with pytest.raises(exceptions.NotFound):
        client.get_task(name=name)
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=QUEUE, task=task_for(target.url, name=name))


def test_a_name_stays_taken_after_the_task_is_deleted(held: Held) -> None:
    _, client = held
    name = fresh_name()
    client.create_task(parent=QUEUE, task=task_for(URL, name=name))
    client.delete_task(name=name)
    with pytest.raises(exceptions.AlreadyExists):
        client.create_task(parent=QUEUE, task=task_for(URL, name=name))
    with pytest.raises(exceptions.NotFound):
        client.delete_task(name=name)


def test_a_queue_that_does_not_exist_takes_no_task(held: Held) -> None:
    _, client = held
    with pytest.raises(exceptions.NotFound):
        client.create_task(parent=QUEUE + "-missing", task=task_for(URL))


@pytest.mark.parametrize(
    ("what", "task"),
    [
        ("another queue's name", {"name": "projects/p/locations/l/queues/other/tasks/a"}),
        ("a name with a dot", {"name": f"{QUEUE}/tasks/a.b"}),
        ("too late", {"schedule_time": dt.datetime.now(dt.UTC) + dt.timedelta(days=31)}),
        ("too patient", {"dispatch_deadline": dt.timedelta(hours=1)}),
        ("too hasty", {"dispatch_deadline": dt.timedelta(seconds=1)}),
    ],
)
def test_a_task_that_cloud_tasks_would_refuse_is_refused(
    held: Held, what: str, task: dict[str, object]
) -> None:
    _, client = held
    with pytest.raises(exceptions.InvalidArgument):
        client.create_task(parent=QUEUE, task=task_for(URL, **task))


def test_a_request_that_cloud_tasks_would_refuse_is_refused(held: Held) -> None:
    _, client = held
    too_large = task_for(URL)
    too_large.http_request.body = b"x" * 1_100_000
    get_with_body = task_for(URL)
    get_with_body.http_request.http_method = tasks_v2.HttpMethod.GET  # type: ignore[assignment]
    for task in (tasks_v2.Task(), task_for("ftp://x/"), too_large, get_with_body):
        with pytest.raises(exceptions.InvalidArgument):
            client.create_task(parent=QUEUE, task=task)


def test_listing_goes_through_every_page(held: Held) -> None:
    _, client = held
    made = {client.create_task(parent=QUEUE, task=task_for(URL)).name for _ in range(5)}
    pages = client.list_tasks(request={"parent": QUEUE, "page_size": 2})
    assert {task.name for task in pages} == made


def test_purging_empties_a_queue(held: Held) -> None:
    running, client = held
    client.create_task(parent=QUEUE, task=task_for(URL))
    client.purge_queue(name=QUEUE)
    assert running.waiting() == []


def test_queues_are_made_read_changed_and_deleted(held: Held) -> None:
    _, client = held
    parent = "projects/p/locations/l"
    name = f"{parent}/queues/mine"
    client.create_queue(parent=parent, queue=tasks_v2.Queue(name=name))
    with pytest.raises(exceptions.AlreadyExists):
        client.create_queue(parent=parent, queue=tasks_v2.Queue(name=name))
    change = tasks_v2.Queue(name=name, retry_config=tasks_v2.RetryConfig(max_attempts=3))
    client.update_queue(queue=change, update_mask={"paths": ["retry_config.max_attempts"]})
    assert client.get_queue(name=name).retry_config.max_attempts == 3
    assert name in {queue.name for queue in client.list_queues(parent=parent)}
    client.delete_queue(name=name)
    with pytest.raises(exceptions.NotFound):
        client.get_queue(name=name)
