"""Endpoints that RunPod scaled down for want of traffic get their workers back."""

from collections.abc import Iterator

import pytest

from common.gateways.runpod_endpoints import MEANT_WORKERS
from tests.payments.stripe_mail import configured
from tests.runpod_setup.management import KEY, Management, serving
from tests.world import World


@pytest.fixture
def account(world: World) -> Iterator[Management]:
    made = Management()
    with (
        serving(made) as url,
        configured(
            world, runpod_management_url=url, runpod_management_key=KEY, log_level="WARNING"
        ),
    ):
        yield made
    assert made.wrong == []


def slept(world: World, account: Management, *, most: int, meant: str | None = "3") -> str:
    """An endpoint of ours, as RunPod has it after a while; answers its id."""
    endpoint_id = world.model(price=1).endpoint_id
    made = account.add(
        {
            "name": "tarsify-sdxl",
            "type": "QUEUE",
            "image": "example/sdxl@sha256:" + "0" * 64,
            "gpu": {"pools": ["AMPERE_48"], "count": 1},
            "workers": {"min": 0, "max": most, "idleTimeout": 10},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
            "timeout": 300_000,
            "flashboot": "OFF",
            "env": {} if meant is None else {MEANT_WORKERS: meant},
        }
    )
    del account.endpoints[made["id"]]
    account.endpoints[endpoint_id] = made | {"id": endpoint_id}
    return endpoint_id


@pytest.mark.parametrize("most", [0, 2])
def test_an_endpoint_that_was_put_to_sleep_is_woken(
    world: World, account: Management, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint_id = slept(world, account, most=most)
    assert world.scheduled("/endpoints") == {"woken": 1}
    assert account.endpoints[endpoint_id]["workers"] == {"min": 0, "max": 3, "idleTimeout": 10}
    assert world.scheduled("/endpoints") == {"woken": 0}
    assert len(account.changes) == 1
    assert "endpoint had lost workers" in capsys.readouterr().out


@pytest.mark.parametrize(("most", "meant"), [(3, "3"), (5, "3"), (0, None), (0, "many")])
def test_an_endpoint_with_enough_workers_or_not_of_our_making_is_left_alone(
    world: World, account: Management, most: int, meant: str | None
) -> None:
    slept(world, account, most=most, meant=meant)
    assert world.scheduled("/endpoints") == {"woken": 0}
    assert account.changes == []


def test_an_endpoint_that_we_do_not_use_is_left_asleep(world: World, account: Management) -> None:
    endpoint_id = slept(world, account, most=0)
    ours = next(
        each["id"]
        for each in world.staff.ok("GET", "/api/admin/endpoints?limit=100")
        if each["runpodEndpointId"] == endpoint_id
    )
    world.staff.ok("PATCH", f"/api/admin/endpoints/{ours}", {"isActive": False})
    assert world.scheduled("/endpoints") == {"woken": 0}
    assert account.changes == []


def test_an_endpoint_that_is_gone_at_runpod_is_told(
    world: World, account: Management, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint_id = slept(world, account, most=3)
    del account.endpoints[endpoint_id]
    assert world.scheduled("/endpoints") == {"woken": 0}
    printed = capsys.readouterr().out
    assert "endpoint is gone at RunPod" in printed
    assert endpoint_id in printed


def test_what_runpod_refuses_now_is_tried_again_an_hour_later(
    world: World, account: Management, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint_id = slept(world, account, most=0)
    account.refuse = 429
    assert world.scheduled("/endpoints") == {"woken": 0}
    assert "endpoint stays without workers" in capsys.readouterr().out
    account.refuse = None
    assert world.scheduled("/endpoints") == {"woken": 1}
    assert account.endpoints[endpoint_id]["workers"]["max"] == 3


def test_without_a_management_key_nobody_is_asked(world: World) -> None:
    account = Management()
    with (
        serving(account) as url,
        configured(world, runpod_management_url=url, runpod_management_key=""),
    ):
        assert world.scheduled("/endpoints") == {"woken": 0}
    assert account.asked == []
