"""The journal: kill -9 loses no task and frees no name."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.api_core import exceptions

from infra.local.tasks.retry import RetryPolicy
from infra.local.tasks.running import connect, running_tasks
from tests.local.tasks.target import QUEUE, Target, task_for

ROOT = Path(__file__).parents[3]


@contextmanager
def process(journal: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command line's stand-in, with its address."""
    command = [sys.executable, "-m", "infra.local.tasks", "--port", "0", "--journal", str(journal)]
    with subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        assert running.stdout is not None
        words = running.stdout.readline().split()
        try:
            yield running, words[3].rstrip(",")
        finally:
            running.send_signal(signal.SIGTERM)


def test_tasks_queues_and_spent_names_survive_kill_9(tmp_path: Path, target: Target) -> None:
    journal = tmp_path / "tasks.sqlite"
    spent, waiting = f"{QUEUE}/tasks/spent", f"{QUEUE}/tasks/waiting"
    with process(journal, "--queue", QUEUE) as (running, address), connect(address) as client:
        client.create_task(parent=QUEUE, task=task_for(target.url, name=spent))
        target.wait_for(1)
        client.pause_queue(name=QUEUE)
        client.create_task(parent=QUEUE, task=task_for(target.url, name=waiting))
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    with process(journal) as (_, address), connect(address) as client:
        with pytest.raises(exceptions.AlreadyExists):
            client.create_task(parent=QUEUE, task=task_for(target.url, name=spent))
        assert [task.name for task in client.list_tasks(parent=QUEUE)] == [waiting]
        client.resume_queue(name=QUEUE)
        target.wait_for(2)


def test_a_port_that_is_taken_is_an_error_not_a_shared_queue() -> None:
    with running_tasks(queues=[QUEUE]) as running:
        port = int(running.target.rpartition(":")[2])
        with pytest.raises(OSError, match="cannot listen"), running_tasks(port=port):
            pass


def test_no_task_is_lost_when_many_callers_create_at_once(target: Target) -> None:
    with running_tasks(queues=[QUEUE], manual=True) as running, running.client() as client:

        def create_some() -> None:
            for _ in range(50):
                client.create_task(parent=QUEUE, task=task_for(target.url))

        callers = [threading.Thread(target=create_some) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert len({task.name for task in running.waiting()}) == 400


def test_back_off_doubles_then_grows_evenly_then_stays() -> None:
    policy = RetryPolicy(min_backoff=10, max_backoff=300, max_doublings=3)
    assert [policy.backoff(n) for n in range(1, 9)] == [10, 20, 40, 80, 160, 240, 300, 300]


def test_a_task_is_given_up_when_every_limit_that_is_set_is_reached() -> None:
    both = RetryPolicy(max_attempts=3, max_retry_duration=60)
    assert not both.gives_up(attempts=3, age=59)
    assert not both.gives_up(attempts=2, age=61)
    assert both.gives_up(attempts=3, age=60)
    assert not RetryPolicy(max_attempts=-1).gives_up(attempts=10_000, age=1e9)
