"""The gRPC face: google.cloud.tasks.v2.CloudTasks, translated to the broker's verbs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.cloud import tasks_v2
from google.protobuf import empty_pb2

from infra.local.tasks import protos
from infra.local.tasks.broker import Broker, Refused
from infra.local.tasks.protos import Message

SERVICE = "google.cloud.tasks.v2.CloudTasks"
PAGE = 1000
Answer = Callable[[Broker, Message], Message]


def create_task(broker: Broker, request: Message) -> Message:
    """CreateTask."""
    return _view(broker.create(request.parent, request.task), request.response_view)


def get_task(broker: Broker, request: Message) -> Message:
    """GetTask."""
    return _view(broker.find(request.name), request.response_view)


def delete_task(broker: Broker, request: Message) -> Message:
    """DeleteTask."""
    broker.find(request.name)
    broker.forget(request.name)
    return empty_pb2.Empty()


def run_task(broker: Broker, request: Message) -> Message:
    """RunTask: due at once."""
    task = broker.find(request.name)
    protos.put_seconds(task.schedule_time, time.time())
    broker.lane(task.name.rpartition("/tasks/")[0]).push(
        task.name, protos.seconds(task.schedule_time)
    )
    return _view(task, request.response_view)


def list_tasks(broker: Broker, request: Message) -> Message:
    """ListTasks, in pages; the token is the place of the next one."""
    tasks = sorted(broker.of_queue(request.parent), key=lambda task: str(task.name))
    start = int(request.page_token or 0)
    end = start + min(request.page_size or PAGE, PAGE)
    return tasks_v2.ListTasksResponse.pb()(
        tasks=[_view(task, request.response_view) for task in tasks[start:end]],
        next_page_token=str(end) if end < len(tasks) else "",
    )


def create_queue(broker: Broker, request: Message) -> Message:
    """CreateQueue."""
    return broker.create_queue(request.queue)


def get_queue(broker: Broker, request: Message) -> Message:
    """GetQueue."""
    return broker.lane(request.name).queue


def list_queues(broker: Broker, request: Message) -> Message:
    """ListQueues, in one page."""
    found = [lane.queue for lane in broker.lanes.values()]
    mine = [queue for queue in found if queue.name.startswith(f"{request.parent}/queues/")]
    return tasks_v2.ListQueuesResponse.pb()(queues=mine)


def update_queue(broker: Broker, request: Message) -> Message:
    """UpdateQueue: the masked fields, or all of them; a queue that is missing is made."""
    if request.queue.name not in broker.lanes:
        return broker.create_queue(request.queue)
    queue = broker.lane(request.queue.name).queue
    for path in list(request.update_mask.paths) or ["rate_limits", "retry_config"]:
        field, _, leaf = path.partition(".")
        source, target = getattr(request.queue, field), getattr(queue, field)
        if leaf:
            _copy_field(source, target, leaf)
        else:
            target.CopyFrom(source)
    broker.save_queue(queue)
    return queue


def delete_queue(broker: Broker, request: Message) -> Message:
    """DeleteQueue."""
    broker.delete_queue(request.name)
    return empty_pb2.Empty()


def purge_queue(broker: Broker, request: Message) -> Message:
    """PurgeQueue."""
    broker.purge(request.name)
    return broker.lane(request.name).queue


def pause_queue(broker: Broker, request: Message) -> Message:
    """PauseQueue."""
    return _set_state(broker, request.name, protos.PAUSED)


def resume_queue(broker: Broker, request: Message) -> Message:
    """ResumeQueue."""
    return _set_state(broker, request.name, protos.RUNNING)


def handler(broker: Broker) -> Any:
    """The generic handler that serves every method above."""
    methods: dict[str, tuple[Any, Answer]] = {
        "CreateTask": (tasks_v2.CreateTaskRequest, create_task),
        "GetTask": (tasks_v2.GetTaskRequest, get_task),
        "DeleteTask": (tasks_v2.DeleteTaskRequest, delete_task),
        "RunTask": (tasks_v2.RunTaskRequest, run_task),
        "ListTasks": (tasks_v2.ListTasksRequest, list_tasks),
        "CreateQueue": (tasks_v2.CreateQueueRequest, create_queue),
        "GetQueue": (tasks_v2.GetQueueRequest, get_queue),
        "ListQueues": (tasks_v2.ListQueuesRequest, list_queues),
        "UpdateQueue": (tasks_v2.UpdateQueueRequest, update_queue),
        "DeleteQueue": (tasks_v2.DeleteQueueRequest, delete_queue),
        "PurgeQueue": (tasks_v2.PurgeQueueRequest, purge_queue),
        "PauseQueue": (tasks_v2.PauseQueueRequest, pause_queue),
        "ResumeQueue": (tasks_v2.ResumeQueueRequest, resume_queue),
    }
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                _speaking(broker, answer),
                request_deserializer=request.pb().FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name, (request, answer) in methods.items()
        },
    )


def _speaking(broker: Broker, answer: Answer) -> Callable[[Message, Any], Awaitable[Message]]:
    async def method(request: Message, context: Any) -> Message:
        try:
            return answer(broker, request)
        except Refused as refusal:
            return await context.abort(refusal.code, refusal.message)

    return method


def _view(task: Message, view: int) -> Message:
    """BASIC leaves the body out, as it may be large or secret."""
    shown = protos.Task()
    shown.CopyFrom(task)
    shown.view = view or protos.BASIC
    if shown.view == protos.BASIC:
        shown.http_request.ClearField("body")
    return shown


def _set_state(broker: Broker, name: str, state: int) -> Message:
    queue = broker.lane(name).queue
    queue.state = state
    broker.save_queue(queue)
    return queue


def _copy_field(source: Message, target: Message, name: str) -> None:
    value = getattr(source, name)
    if hasattr(value, "CopyFrom"):
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)
