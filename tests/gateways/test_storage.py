"""Google's client, as we use it, against the local stand-in over the real protocol."""

import hashlib
from collections.abc import Iterator

import pytest
import requests

from common.boundary import session_open
from common.gateways.storage import Storage, StorageUnavailable
from common.settings import Settings
from infra.local.storage.running import RunningStorage, running_storage

BUCKET = "results"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningStorage]:
    with running_storage(buckets=[BUCKET], require_token=True) as service:
        yield service


@pytest.fixture
def storage(running: RunningStorage) -> Storage:
    return Storage(
        Settings(
            output_bucket=BUCKET,
            storage_emulator_host=running.url,
            storage_signer_key_file=str(running.service_account),
        )
    )


def test_what_was_put_is_read_through_a_signed_url_with_its_type(storage: Storage) -> None:
    storage.put("runs/1/0.png", b"pixels", "image/png")
    answer = requests.get(storage.signed_url("runs/1/0.png", ttl_s=60), timeout=5)
    assert answer.content == b"pixels"
    assert answer.headers["content-type"] == "image/png"


def test_putting_twice_keeps_the_first_object(storage: Storage) -> None:
    storage.put("runs/2/0.txt", b"first", "text/plain")
    storage.put("runs/2/0.txt", b"second", "text/plain")
    url = storage.signed_url("runs/2/0.txt", ttl_s=60)
    assert requests.get(url, timeout=5).content == b"first"


def test_a_result_is_private_without_a_signature_and_with_a_changed_one(storage: Storage) -> None:
    storage.put("runs/4/0.txt", b"private", "text/plain")
    url = storage.signed_url("runs/4/0.txt", ttl_s=60)
    assert requests.get(url.partition("?")[0], timeout=5).status_code in (401, 403)
    assert requests.get(url.replace("runs/4", "runs/5"), timeout=5).status_code == 403
    longer = url.replace("X-Goog-Expires=60", "X-Goog-Expires=9999")
    assert longer != url
    assert requests.get(longer, timeout=5).status_code == 403


def test_objects_are_found_until_deleted_and_deleting_twice_is_fine(storage: Storage) -> None:
    storage.put("runs/6/0.txt", b"x", "text/plain")
    assert storage.exists("runs/6/0.txt")
    storage.delete("runs/6/0.txt")
    storage.delete("runs/6/0.txt")
    assert not storage.exists("runs/6/0.txt")


def test_large_contents_arrive_whole(storage: Storage) -> None:
    content = bytes(range(256)) * 4096 * 12  # above the client's limit for a single request
    storage.put("runs/7/0.bin", content, "application/octet-stream")
    fetched = requests.get(storage.signed_url("runs/7/0.bin", ttl_s=60), timeout=10).content
    assert hashlib.sha256(fetched).digest() == hashlib.sha256(content).digest()


def test_a_missing_bucket_is_storage_trouble(running: RunningStorage) -> None:
    elsewhere = Storage(
        Settings(
            output_bucket="nowhere",
            storage_emulator_host=running.url,
            storage_signer_key_file=str(running.service_account),
        )
    )
    with pytest.raises(StorageUnavailable):
        elsewhere.put("x", b"x", "text/plain")


def test_nothing_is_stored_or_signed_while_a_database_session_is_open(storage: Storage) -> None:
    with session_open():
        for call in (
            lambda: storage.put("x", b"x", "text/plain"),
            lambda: storage.exists("x"),
            lambda: storage.delete("x"),
            lambda: storage.signed_url("x", ttl_s=60),
        ):
            with pytest.raises(RuntimeError, match="session"):
                call()
