"""The emulator for tests: in a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.identity.server import Served, serve
from infra.local.threaded import in_thread


@contextmanager
def running_identity(*, port: int = 0, data: Path | None = None) -> Iterator[Served]:
    """Run the stand-in until the context ends; `.host` is FIREBASE_AUTH_EMULATOR_HOST's value."""
    with in_thread(lambda: serve(port=port, data=data)) as (served, _):
        yield served
