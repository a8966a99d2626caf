"""Buckets and objects in a directory; a rename is the moment at which an object changes."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import google_crc32c

from infra.local.storage.errors import bad_request, conflict, no_bucket, no_object

LONGEST_NAME = 1024


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An object's metadata; its bytes lie in the file `data`."""

    bucket: str
    name: str
    generation: int
    size: int
    md5: str
    crc32c: str
    created: str
    updated: str
    data: str
    metageneration: int = 1
    content_type: str = "application/octet-stream"
    cache_control: str = ""
    content_disposition: str = ""
    content_encoding: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What an uploader says about an object."""

    content_type: str = "application/octet-stream"
    cache_control: str = ""
    content_disposition: str = ""
    content_encoding: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


class Disk:
    """The store; everything is read at construction and written through."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._root.mkdir(parents=True, exist_ok=True)
        self._buckets: dict[str, dict[str, Entry]] = {}
        self._last_generation = 0
        for folder in sorted(root.iterdir()):
            self._buckets[folder.name] = {entry.name: entry for entry in _entries(folder)}

    # -- buckets

    def create_bucket(self, name: str) -> None:
        """Make a bucket; refuses a second one of the name."""
        if not name or name.startswith(".") or "/" in name or len(name) > 222:
            raise bad_request(f"Invalid bucket name: {name!r}")
        if name in self._buckets:
            raise conflict("Your previous request to create the bucket succeeded.", "BucketExists")
        (self._root / name).mkdir()
        self._buckets[name] = {}

    def delete_bucket(self, name: str) -> None:
        """Remove a bucket; refuses one that is not empty."""
        if self.objects(name):
            raise conflict("The bucket you tried to delete is not empty.", "BucketNotEmpty")
        shutil.rmtree(self._root / name)
        del self._buckets[name]

    def buckets(self) -> list[str]:
        """The names of all buckets."""
        return sorted(self._buckets)

    def objects(self, bucket: str) -> dict[str, Entry]:
        """A bucket's objects by name; refuses a bucket that does not exist."""
        if bucket not in self._buckets:
            raise no_bucket(bucket)
        return self._buckets[bucket]

    # -- objects

    def find(self, bucket: str, name: str) -> Entry | None:
        """An object, or None."""
        return self.objects(bucket).get(name)

    def get(self, bucket: str, name: str, generation: int | None = None) -> Entry:
        """An object; refuses one that does not exist, or no longer in that generation."""
        entry = self.find(bucket, name)
        if entry is None or generation not in (None, entry.generation):
            raise no_object(bucket, name)
        return entry

    def read(self, entry: Entry) -> bytes:
        """An object's bytes."""
        return (self._root / entry.bucket / entry.data).read_bytes()

    def put(self, bucket: str, name: str, body: bytes, traits: Traits) -> Entry:
        """Write an object as a new generation."""
        objects = self.objects(bucket)
        if not name or len(name.encode()) > LONGEST_NAME or "\r" in name or "\n" in name:
            raise bad_request("Invalid object name")
        generation, now, stem = self._next_generation(), _now(), _stem(name)
        entry = Entry(
            bucket=bucket,
            name=name,
            generation=generation,
            size=len(body),
            md5=base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
            crc32c=_crc32c(body),
            created=now,
            updated=now,
            data=f"{stem}.{generation}.bin",
            **asdict(traits),
        )
        (self._root / bucket / entry.data).write_bytes(body)
        self._write(entry)
        self._drop_data(objects.get(name))
        objects[name] = entry
        return entry

    def change(self, entry: Entry, traits: Traits) -> Entry:
        """Replace what an object says about itself."""
        changed = replace(
            entry, updated=_now(), metageneration=entry.metageneration + 1, **asdict(traits)
        )
        self._write(changed)
        self.objects(entry.bucket)[entry.name] = changed
        return changed

    def delete(self, entry: Entry) -> None:
        """Remove an object."""
        (self._root / entry.bucket / f"{_stem(entry.name)}.json").unlink()
        self._drop_data(entry)
        del self.objects(entry.bucket)[entry.name]

    def _write(self, entry: Entry) -> None:
        final = self._root / entry.bucket / f"{_stem(entry.name)}.json"
        draft = final.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(entry)))
        draft.rename(final)

    def _drop_data(self, entry: Entry | None) -> None:
        if entry is not None:
            (self._root / entry.bucket / entry.data).unlink(missing_ok=True)

    def _next_generation(self) -> int:
        # Microseconds, as Cloud Storage's look; never twice, though a clock may stand still.
        self._last_generation = max(self._last_generation + 1, time.time_ns() // 1000)
        return self._last_generation


def traits_of(entry: Entry) -> Traits:
    """What an object says about itself."""
    return Traits(
        content_type=entry.content_type,
        cache_control=entry.cache_control,
        content_disposition=entry.content_disposition,
        content_encoding=entry.content_encoding,
        metadata=entry.metadata,
    )


def _entries(folder: Path) -> Iterator[Entry]:
    for path in folder.glob("*.json"):
        yield Entry(**json.loads(path.read_text()))


def _crc32c(body: bytes) -> str:
    value: int = google_crc32c.value(body)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def _stem(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
