"""What the catalogue wants of RunPod, in RunPod's own words (management API v2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.gateways.runpod_endpoints import MEANT_WORKERS

CATALOGUE = Path(__file__).parents[1] / "catalog.yaml"
_PINNED = re.compile(r"[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}")


class SetupError(Exception):
    """The catalogue or the account is not fit for it; the message says what to do."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class WorkerCount(_Strict):
    """How many workers there are at least and at most, and how long one waits without work."""

    min: int = Field(ge=0)
    max: int = Field(ge=1)
    idle_seconds: int = Field(ge=1, le=3600)


class Terms(_Strict):
    """The catalogue's `runpod` of an endpoint."""

    image: str
    gpu_pools: list[str] = Field(min_length=1)
    workers: WorkerCount
    queue_delay_seconds: float = Field(ge=0.5)
    timeout_seconds: int = Field(ge=5)
    disk_gb: int = Field(ge=1)
    env: dict[str, str] = {}


@dataclass(frozen=True)
class Wanted:
    """An endpoint as it should be. `body` is what RunPod is sent to make it."""

    key: str
    setting: str
    name: str
    pools: frozenset[str]
    body: dict[str, Any]


def wanted(path: Path, *, prefix: str, images: Mapping[str, str], only: set[str]) -> list[Wanted]:
    """The endpoints of a catalogue, named `<prefix>-<key>`.

    `images` replaces the catalogue's by key. Raises SetupError with everything that is wrong.
    """
    catalogue = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries: dict[str, Any] = catalogue["endpoints"]
    if unknown := ({*images, *only} - set(entries)):
        raise SetupError(f"the catalogue has no endpoint {', '.join(sorted(unknown))}")
    found, wrong = [], []
    for key, entry in entries.items():
        if only and key not in only:
            continue
        longest = max(_timeouts(catalogue, key), default=0)
        try:
            terms = _terms(key, entry, images.get(key), longest)
            found.append(_wanted(key, entry["env"], f"{prefix}-{key}", terms))
        except SetupError as error:
            wrong.append(str(error))
    if wrong:
        raise SetupError("\n".join(wrong))
    return found


def _timeouts(catalogue: dict[str, Any], key: str) -> list[int]:
    models = catalogue["base_models"]
    return [int(each["execution_timeout_seconds"]) for each in models if each["endpoint"] == key]


def _terms(key: str, entry: dict[str, Any], image: str | None, longest: int) -> Terms:
    try:
        terms = Terms.model_validate(entry.get("runpod", {}))
    except ValidationError as error:
        complaints = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SetupError(f"{key}: runpod: {'; '.join(complaints)}") from None
    terms = terms.model_copy(update={"image": image or terms.image})
    if not _PINNED.fullmatch(terms.image):
        shown = terms.image or "no image"
        raise SetupError(
            f"{key}: {shown} is not pinned by a digest: give --image {key}=REPOSITORY@sha256:... "
            "or write it into the catalogue"
        )
    if terms.workers.min > terms.workers.max:
        raise SetupError(f"{key}: workers.min is more than workers.max")
    if terms.timeout_seconds < longest:
        raise SetupError(f"{key}: timeout_seconds is less than a base model's {longest}")
    return terms


def _wanted(key: str, setting: str, name: str, terms: Terms) -> Wanted:
    """Fields with a default at RunPod are sent too: some defaults are not the documented ones."""
    return Wanted(
        key,
        setting,
        name,
        frozenset(terms.gpu_pools),
        {
            "name": name,
            "type": "QUEUE",
            "image": terms.image,
            "gpu": {"pools": sorted(terms.gpu_pools), "count": 1},
            "workers": {
                "min": terms.workers.min,
                "max": terms.workers.max,
                "idleTimeout": terms.workers.idle_seconds,
            },
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": terms.queue_delay_seconds},
            "timeout": terms.timeout_seconds * 1000,
            "flashboot": "FLASHBOOT",
            "disk": terms.disk_gb,
            "env": {**terms.env, MEANT_WORKERS: str(terms.workers.max)},
        },
    )
