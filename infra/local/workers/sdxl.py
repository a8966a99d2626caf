"""Pictures from a prompt in the shape of worker-sdxl (runpod.md 5.1)."""

import base64
import io
import os
import secrets
import tempfile
import traceback
from pathlib import Path
from typing import Any

import runpod
from PIL import Image
from runpod.serverless.utils import download_files_from_urls, rp_cleanup, rp_upload
from runpod.serverless.utils.rp_validator import validate

from infra.local.workers.drawing import draw, redraw

JSON = dict[str, Any]

SCHEDULERS = {
    "PNDM": 1,
    "KLMS": 2,
    "DDIM": 3,
    "K_EULER": 4,
    "K_EULER_ANCESTRAL": 5,
    "DPMSolverMultistep": 6,
    "DPMSolverSinglestep": 7,
}

INPUTS: JSON = {
    "prompt": {"type": str, "required": False},
    "negative_prompt": {"type": str, "required": False, "default": None},
    "height": {"type": int, "required": False, "default": 1024},
    "width": {"type": int, "required": False, "default": 1024},
    "seed": {"type": int, "required": False, "default": None},
    "scheduler": {"type": str, "required": False, "default": "DDIM"},
    "num_inference_steps": {"type": int, "required": False, "default": 25},
    "refiner_inference_steps": {"type": int, "required": False, "default": 50},
    "guidance_scale": {"type": float, "required": False, "default": 7.5},
    "strength": {"type": float, "required": False, "default": 0.3},
    "image_url": {"type": str, "required": False, "default": None},
    "num_images": {
        "type": int,
        "required": False,
        "default": 1,
        "constraints": lambda number: 0 < number < 3,
    },
    "high_noise_frac": {"type": float, "required": False, "default": None},
}


def handler(job: JSON) -> JSON:
    """Draw the wanted pictures."""
    checked = validate(job["input"], dict(INPUTS))
    if "errors" in checked:
        return {"error": checked["errors"]}
    wanted = checked["validated_input"]
    if wanted["seed"] is None:
        wanted["seed"] = secrets.randbelow(65536)
    variation = SCHEDULERS[wanted["scheduler"]]
    try:
        pictures = _draw_all(job["id"], wanted, variation)
        images = [_publish(job["id"], picture) for picture in pictures]
    except RuntimeError as problem:
        trace = traceback.format_exc()
        return {"error": f"RuntimeError: {problem}, Stack Trace: {trace}", "refresh_worker": True}
    except ValueError as problem:
        return {"error": f"Unexpected error: {problem}", "refresh_worker": True}
    finally:
        rp_cleanup.clean(["jobs"])
    result: JSON = {"images": images, "image_url": images[0], "seed": wanted["seed"]}
    if wanted["image_url"]:
        result["refresh_worker"] = True
    return result


def _draw_all(job_id: str, wanted: JSON, variation: int) -> list[Image.Image]:
    width, height = wanted["width"], wanted["height"]
    if width % 8 or height % 8:
        raise ValueError(f"`height` and `width` have to be divisible by 8, not {height}, {width}.")
    pictures = [
        draw(
            f"{wanted['prompt']}\0{wanted['negative_prompt'] or ''}\0{variation}",
            width=width,
            height=height,
            seed=abs(wanted["seed"]) + number,
            steps=wanted["num_inference_steps"],
            guidance=wanted["guidance_scale"],
        )
        for number in range(wanted["num_images"])
    ]
    if not wanted["image_url"]:
        return pictures
    path = download_files_from_urls(job_id, [wanted["image_url"]])[0]
    with Image.open(str(path)) as source:
        return [redraw(source, p, strength=wanted["strength"]) for p in pictures]


def _publish(job_id: str, picture: Image.Image) -> str:
    """A data URI, or a link when the endpoint has a bucket."""
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=1)
    if not os.environ.get("BUCKET_ENDPOINT_URL"):
        return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "0.png"
        path.write_bytes(target.getvalue())
        return str(rp_upload.upload_image(job_id, str(path)))


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
