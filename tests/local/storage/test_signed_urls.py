"""Signed URLs: the only way for a stranger, exactly as far as they were signed."""

import datetime as dt
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.local.storage.accounts import write_service_account
from infra.local.storage.running import RunningStorage, load_credentials

SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def picture(bucket: Any) -> Any:
    blob = bucket.blob("runs/1/a picture.png")
    blob.upload_from_string(b"0123456789", content_type="image/png")
    return blob


def with_parameter(url: str, name: str, value: str) -> str:
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query)) | {name: value}
    return parts._replace(query=urllib.parse.urlencode(query)).geturl()


def test_an_object_is_closed_to_a_stranger(running: RunningStorage, picture: Any) -> None:
    plain = f"{running.url}/{picture.bucket.name}/{urllib.parse.quote(picture.name)}"
    answer = requests.get(plain, timeout=5)
    assert answer.status_code == 403
    assert "AccessDenied" in answer.text


def test_a_signed_url_shows_the_object_with_its_headers(
    running: RunningStorage, picture: Any
) -> None:
    answer = requests.get(running.signed_url(picture.bucket.name, picture.name), timeout=5)
    assert answer.content == b"0123456789"
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "private, max-age=0"
    assert answer.headers["x-goog-generation"] == str(picture.generation)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_signed_url_shows_a_range(running: RunningStorage, picture: Any) -> None:
    url = running.signed_url(picture.bucket.name, picture.name)
    answer = requests.get(url, headers={"Range": "bytes=-3"}, timeout=5)
    assert (answer.status_code, answer.content) == (206, b"789")
    assert answer.headers["Content-Range"] == "bytes 7-9/10"
    assert requests.get(url, headers={"Range": "bytes=10-"}, timeout=5).status_code == 416


def test_a_signed_url_may_name_the_downloaded_file(running: RunningStorage, picture: Any) -> None:
    url = running.signed_url(
        picture.bucket.name, picture.name, response_disposition="attachment; filename=a.png"
    )
    answer = requests.get(url, timeout=5)
    assert answer.headers["Content-Disposition"] == "attachment; filename=a.png"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("X-Goog-Expires", "604800"),
        ("X-Goog-Signature", "00" * 256),
        ("X-Goog-Signature", "not hexadecimal"),
        ("X-Goog-Credential", "someone@else/20260101/auto/storage/goog4_request"),
        ("response-content-type", "text/html"),
    ],
)
def test_a_url_that_was_tampered_with_is_refused(
    running: RunningStorage, picture: Any, parameter: str, value: str
) -> None:
    url = running.signed_url(picture.bucket.name, picture.name)
    answer = requests.get(with_parameter(url, parameter, value), timeout=5)
    assert answer.status_code == 403
    assert "SignatureDoesNotMatch" in answer.text


def test_a_signature_covers_one_object_and_one_verb(
    running: RunningStorage, bucket: Any, picture: Any
) -> None:
    bucket.blob("runs/2").upload_from_string(b"another's")
    url = running.signed_url(bucket.name, picture.name)
    assert requests.put(url, data=b"mine", timeout=5).status_code == 403
    assert requests.delete(url, timeout=5).status_code == 403
    elsewhere = url.replace(urllib.parse.quote(picture.name), "runs/2")
    assert requests.get(elsewhere, timeout=5).status_code == 403


def test_an_expired_url_is_refused_as_expired(running: RunningStorage, picture: Any) -> None:
    url = running.signed_url(picture.bucket.name, picture.name, life=SECOND)
    deadline = time.monotonic() + 5
    while (answer := requests.get(url, timeout=5)).ok:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.status_code == 400
    assert "ExpiredToken" in answer.text


def test_a_signature_of_an_unknown_account_is_refused(
    running: RunningStorage, picture: Any, tmp_path: Path
) -> None:
    stranger = write_service_account(tmp_path / "key.json", token_uri="http://127.0.0.1:1/token")
    credentials = load_credentials(stranger)
    url = picture.generate_signed_url(
        version="v4", expiration=SECOND * 60, credentials=credentials,
        api_access_endpoint=running.url,
    )  # fmt: skip
    assert requests.get(url, timeout=5).status_code == 403


def test_a_signed_put_takes_the_type_that_was_signed_and_no_other(
    running: RunningStorage, bucket: Any
) -> None:
    url = running.signed_url(bucket.name, "input.wav", method="PUT", content_type="audio/wav")
    wrong = requests.put(url, data=b"x", headers={"Content-Type": "text/html"}, timeout=5)
    assert wrong.status_code == 403
    right = requests.put(url, data=b"sound", headers={"Content-Type": "audio/wav"}, timeout=5)
    assert right.status_code == 200
    assert bucket.get_blob("input.wav").content_type == "audio/wav"


def test_a_signed_length_range_bounds_an_upload(running: RunningStorage, bucket: Any) -> None:
    limit = {"x-goog-content-length-range": "1,4"}
    url = running.signed_url(bucket.name, "small", method="PUT", headers=limit)
    assert requests.put(url, data=b"12345", headers=limit, timeout=5).status_code == 400
    assert requests.put(url, data=b"12345", timeout=5).status_code == 403
    assert requests.put(url, data=b"1234", headers=limit, timeout=5).status_code == 200


def test_a_signed_upload_can_be_bound_to_a_generation(running: RunningStorage, bucket: Any) -> None:
    new = {"x-goog-if-generation-match": "0"}
    url = running.signed_url(bucket.name, "once", method="PUT", headers=new)
    assert requests.put(url, data=b"first", headers=new, timeout=5).status_code == 200
    assert requests.put(url, data=b"second", headers=new, timeout=5).status_code == 412
    assert bucket.blob("once").download_as_bytes() == b"first"


def test_a_signed_resumable_upload_goes_in_pieces(running: RunningStorage, bucket: Any) -> None:
    url = running.signed_url(bucket.name, "pieces", method="RESUMABLE")
    begun = requests.post(url, headers={"x-goog-resumable": "start"}, timeout=5)
    assert begun.status_code == 201
    session = begun.headers["Location"]
    requests.put(session, data=b"ab", headers={"Content-Range": "bytes 0-1/4"}, timeout=5)
    requests.put(session, data=b"cd", headers={"Content-Range": "bytes 2-3/4"}, timeout=5)
    assert bucket.blob("pieces").download_as_bytes() == b"abcd"
