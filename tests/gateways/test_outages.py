"""The way to RunPod and to the storage breaks: each call ends in time, as what is certain."""

import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from common.gateways.errors import GatewayError
from common.gateways.runpod import (
    JobReport,
    Refusal,
    RunPod,
    RunPodUnavailable,
    SubmitRefused,
    SubmitUnknown,
)
from common.gateways.storage import Storage, StorageUnavailable
from common.settings import Settings
from infra.local.fault_proxy import Fault, Mode
from infra.local.storage.running import RunningStorage, running_storage
from tests.gateways.origin import Origin
from tests.links import BREAKING, BreakableLink, link_to

BUCKET = "results"
UNCERTAIN = (Fault(Mode.BLACK_HOLE), Fault(Mode.HALF_CLOSE), Fault(Mode.RESET, after_bytes=10))


@pytest.fixture
def link(origin: Origin) -> Iterator[BreakableLink]:
    origin.always(b'{"id": "job-1", "status": "IN_QUEUE"}')
    with link_to(origin.port) as link:
        yield link


@pytest.fixture
def runpod(link: BreakableLink) -> RunPod:
    return RunPod(
        f"http://127.0.0.1:{link.port}/v2", "key", submit_timeout_s=0.4, read_timeout_s=0.3
    )


def submit(runpod: RunPod) -> str:
    return runpod.submit(
        "ep", payload={}, webhook_url=None, execution_timeout_ms=60_000, ttl_ms=60_000
    )


def looked(runpod: RunPod) -> JobReport:
    """A healthy link's answer, however busy the machine is; its connection stays open."""
    for _ in range(20):
        with suppress(RunPodUnavailable):
            return runpod.status("ep", "job-1")
    pytest.fail("a healthy link never answered in time")


@pytest.fixture(scope="module")
def storage_service() -> Iterator[RunningStorage]:
    with running_storage(buckets=[BUCKET]) as service:
        yield service


@pytest.fixture
def storage_link(storage_service: RunningStorage) -> Iterator[BreakableLink]:
    target = urlsplit(storage_service.url).port
    assert target is not None
    with link_to(target) as link:
        yield link


@pytest.fixture
def storage(storage_service: RunningStorage, storage_link: BreakableLink) -> Storage:
    settings = Settings(
        output_bucket=BUCKET,
        storage_emulator_host=f"http://127.0.0.1:{storage_link.port}",
        storage_signer_key_file=str(storage_service.service_account),
    )
    return Storage(settings, patience_s=0.5, answer_s=0.4)


@pytest.mark.parametrize("warm", [True, False], ids=["kept open", "new"])
@pytest.mark.parametrize("fault", UNCERTAIN, ids=lambda fault: fault.mode)
def test_a_submit_that_may_have_arrived_is_of_unknown_outcome_and_never_sent_twice(
    origin: Origin, link: BreakableLink, runpod: RunPod, fault: Fault, warm: bool
) -> None:
    if warm:
        looked(runpod)
    before = len(origin.seen)
    link.impose(fault.mode, after_bytes=fault.after_bytes)
    began = time.monotonic()
    with pytest.raises(SubmitUnknown):
        submit(runpod)
    assert time.monotonic() - began < 5
    assert len(origin.seen) - before <= 1


def test_a_submit_whose_connection_was_never_made_is_refused_and_may_be_tried_again(
    origin: Origin, link: BreakableLink, runpod: RunPod
) -> None:
    link.impose(Mode.REFUSE)
    with pytest.raises(SubmitRefused) as refused:
        submit(runpod)
    assert refused.value.kind is Refusal.UNREACHABLE
    assert refused.value.passing
    assert origin.seen == []


@pytest.mark.parametrize("mode", BREAKING)
def test_a_look_without_an_answer_ends_in_time_and_the_next_one_works(
    link: BreakableLink, runpod: RunPod, mode: Mode
) -> None:
    looked(runpod)
    link.impose(mode)
    began = time.monotonic()
    with pytest.raises(RunPodUnavailable) as silent:
        runpod.status("ep", "job-1")
    assert silent.value.passing
    assert time.monotonic() - began < 5
    link.mend()
    assert looked(runpod).job_id == "job-1"


@pytest.mark.parametrize("mode", BREAKING)
def test_an_upload_without_an_answer_ends_in_time_and_is_whole_when_it_is_repeated(
    storage: Storage, storage_link: BreakableLink, mode: Mode
) -> None:
    content, name = b"pixels" * 10_000, f"runs/{mode}/0.bin"
    storage.put(f"runs/{mode}/before.bin", b"x", "image/png")
    storage_link.impose(mode)
    began = time.monotonic()
    with pytest.raises(StorageUnavailable):
        storage.put(name, content, "image/png")
    assert time.monotonic() - began < 3
    storage_link.mend()
    with suppress(GatewayError):  # the first try may find a connection that stayed silent
        storage.put(name, content, "image/png")
    storage.put(name, content, "image/png")
    assert storage.exists(name)
