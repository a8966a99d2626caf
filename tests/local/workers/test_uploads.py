"""Workers that upload their results by S3, told by the bucket variables (runpod.md 2.3)."""

import re
import time
from typing import Any

import httpx

from tests.local.workers.conftest import Ask
from tests.local.workers.media import open_png, open_wav


def test_sdxl_puts_its_picture_into_the_bucket_and_answers_a_link(ask: Ask, bucket: Any) -> None:
    job = ask("sdxl-bucket", prompt="a mill", width=128, height=64)
    url = job["output"]["image_url"]
    assert job["output"]["images"] == [url]
    assert f"/{time.strftime('%m-%y')}/{job['id']}/" in url
    assert "X-Amz-Expires=604800" in url
    fetched = httpx.get(url)
    assert fetched.headers["content-type"] == "image/png"
    picture = open_png(fetched.content)
    assert (picture.width, picture.height) == (128, 64)
    (stored,) = bucket.objects.filter(Prefix=job["id"])
    assert re.fullmatch(rf"{job['id']}/[0-9a-f]{{8}}\.png", stored.key)
    assert stored.get()["Body"].read() == fetched.content


def test_chatterbox_puts_its_sound_into_the_bucket_and_answers_a_link(
    ask: Ask, bucket: Any
) -> None:
    job = ask("chatterbox-bucket", text="Good morning.")
    output = job["output"]
    assert "audio_base64" not in output
    fetched = httpx.get(output["audio_url"])
    assert fetched.headers["content-type"] == "audio/wav"
    assert abs(open_wav(fetched.content).seconds - output["duration_s"]) < 0.01
    assert len(list(bucket.objects.filter(Prefix=job["id"]))) == 1
