"""Objects through Google's own client: uploads, conditions, pages."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import InvalidOperation

from infra.local.storage.running import RunningStorage, running_storage

ROOT = Path(__file__).parents[3]
LARGE = bytes(range(256)) * 4096 * 9  # over 8 MiB: the client then uploads resumably


def test_an_uploaded_object_comes_back_with_what_was_said_of_it(bucket: Any) -> None:
    blob = bucket.blob("a b/ü%2F?.png")
    blob.cache_control = "private, max-age=60"
    blob.metadata = {"execution": "42"}
    blob.upload_from_string(b"picture", content_type="image/png")
    found = bucket.get_blob("a b/ü%2F?.png")
    assert found.download_as_bytes() == b"picture"
    assert (found.content_type, found.size) == ("image/png", 7)
    assert found.cache_control == "private, max-age=60"
    assert found.metadata == {"execution": "42"}


def test_a_large_object_is_uploaded_in_pieces(bucket: Any) -> None:
    blob = bucket.blob("large", chunk_size=1024 * 1024)
    blob.upload_from_string(LARGE)
    assert bucket.blob("large").download_as_bytes() == LARGE
    assert blob.size == len(LARGE)


def test_a_resumable_session_goes_on_where_it_stopped(bucket: Any, client: Any) -> None:
    url = bucket.blob("resumed").create_resumable_upload_session(content_type="text/plain")
    http = client._http
    first = http.put(url, data=b"x" * 10, headers={"Content-Range": "bytes 0-9/15"})
    assert (first.status_code, first.headers["Range"]) == (308, "bytes=0-9")
    asked = http.put(url, headers={"Content-Range": "bytes */15"})
    assert (asked.status_code, asked.headers["Range"]) == (308, "bytes=0-9")
    assert http.put(url, data=b"y" * 5, headers={"Content-Range": "bytes 10-14/15"}).ok
    assert bucket.blob("resumed").download_as_bytes() == b"x" * 10 + b"y" * 5


def test_only_the_first_of_two_writers_creates_an_object(bucket: Any) -> None:
    bucket.blob("once").upload_from_string(b"first", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("once").upload_from_string(b"second", if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("once").upload_from_string(LARGE, if_generation_match=0)
    assert bucket.blob("once").download_as_bytes() == b"first"


def test_a_write_or_delete_needs_the_generation_that_it_read(bucket: Any) -> None:
    blob = bucket.blob("versions")
    blob.upload_from_string(b"1")
    stale = blob.generation
    bucket.blob("versions").upload_from_string(b"2", if_generation_match=stale)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("versions").upload_from_string(b"3", if_generation_match=stale)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("versions").delete(if_generation_match=stale)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("versions", generation=stale).download_as_bytes()
    assert bucket.blob("versions").download_as_bytes() == b"2"


def test_a_deleted_object_is_gone(bucket: Any) -> None:
    bucket.blob("gone").upload_from_string(b"x")
    bucket.blob("gone").delete()
    assert bucket.get_blob("gone") is None
    with pytest.raises(exceptions.NotFound):
        bucket.blob("gone").delete()


def test_metadata_changes_count_as_metagenerations(bucket: Any) -> None:
    blob = bucket.blob("changing")
    blob.upload_from_string(b"x", content_type="text/plain")
    blob.content_type = "image/webp"
    blob.patch(if_metageneration_match=1)
    assert bucket.get_blob("changing").content_type == "image/webp"
    with pytest.raises(exceptions.PreconditionFailed):
        blob.patch(if_metageneration_match=1)


def test_a_range_of_an_object_can_be_read(bucket: Any) -> None:
    bucket.blob("range").upload_from_string(b"0123456789")
    assert bucket.blob("range").download_as_bytes(start=2, end=4) == b"234"
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        bucket.blob("range").download_as_bytes(start=10)


def test_listing_goes_through_every_page_of_a_prefix(bucket: Any, client: Any) -> None:
    names = [f"runs/{n}" for n in range(7)]
    for name in [*names, "other"]:
        bucket.blob(name).upload_from_string(b"x")
    pages = client.list_blobs(bucket, prefix="runs/", page_size=3)
    assert [[blob.name for blob in page] for page in pages.pages] == [
        names[:3],
        names[3:6],
        names[6:],
    ]


def test_a_delimiter_folds_names_into_folders(bucket: Any, client: Any) -> None:
    for name in ("a/1", "a/2", "b/1", "c"):
        bucket.blob(name).upload_from_string(b"x")
    listed = client.list_blobs(bucket, delimiter="/")
    assert [blob.name for blob in listed] == ["c"]
    assert listed.prefixes == {"a/", "b/"}


def test_a_copy_has_the_bytes_and_the_type(bucket: Any) -> None:
    source = bucket.blob("source")
    source.upload_from_string(b"x", content_type="audio/wav")
    copy = bucket.copy_blob(source, bucket, "copy")
    assert (copy.download_as_bytes(), copy.content_type) == (b"x", "audio/wav")


def test_buckets_are_made_once_and_deleted_when_empty(bucket: Any, client: Any) -> None:
    with pytest.raises(exceptions.Conflict):
        client.create_bucket(bucket.name)
    bucket.blob("x").upload_from_string(b"x")
    with pytest.raises(exceptions.Conflict):
        bucket.delete()
    bucket.blob("x").delete()
    bucket.delete()
    assert client.lookup_bucket(bucket.name) is None
    with pytest.raises(exceptions.NotFound):
        bucket.blob("x").upload_from_string(b"x")


def test_objects_survive_a_restart(tmp_path: Path) -> None:
    for attempt in ("write", "read"):
        with running_storage(root=tmp_path, buckets=["kept"]) as running:
            client = running.client(anonymous=True)
            blob = client.bucket("kept").blob("x")
            if attempt == "write":
                blob.upload_from_string(b"kept")
                written = blob.generation
            assert blob.download_as_bytes() == b"kept"
            blob.reload()
            assert blob.generation == written
            client.close()


def test_a_token_that_was_not_given_out_here_is_refused(running: RunningStorage) -> None:
    forged = {"Authorization": "Bearer local.forged"}
    answer = requests.get(f"{running.url}/storage/v1/b", headers=forged, timeout=5)
    assert answer.status_code == 401


def test_an_anonymous_client_is_refused(running: RunningStorage, bucket: Any) -> None:
    bucket.blob("private").upload_from_string(b"secret")
    # Google's anonymous credentials fail at the 401, as they cannot be refreshed.
    stranger = running.client(anonymous=True)
    with pytest.raises(InvalidOperation):
        stranger.bucket(bucket.name).blob("private").download_as_bytes()
    stranger.close()


def test_the_client_finds_the_stand_in_by_its_environment_variable_alone() -> None:
    program = (
        "import json; from google.cloud import storage; client = storage.Client(project='p');"
        "client.bucket('b').blob('o').upload_from_string(b'hello');"
        "print(json.dumps([blob.name for blob in client.list_blobs('b')]))"
    )
    with running_storage(buckets=["b"]) as running:
        environment = os.environ | {"STORAGE_EMULATOR_HOST": running.url}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        )
    assert json.loads(done.stdout) == ["o"]
