"""Cloud Storage for tests: the stand-in in a thread, and Google's client for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.oauth2 import service_account

from infra.local.ports import free_port
from infra.local.storage.accounts import write_service_account
from infra.local.storage.server import serve
from infra.local.threaded import in_thread


@dataclass(frozen=True)
class RunningStorage:
    """Its address (the value of STORAGE_EMULATOR_HOST) and the key file that it trusts."""

    url: str
    service_account: Path

    def credentials(self) -> Any:
        """The service account's credentials: they fetch tokens here, and sign."""
        return load_credentials(self.service_account)

    def client(self, *, anonymous: bool = False) -> Any:
        """Google's client, with the account's credentials or with none."""
        return storage.Client(
            project="tarsify-local",
            credentials=_nobody() if anonymous else self.credentials(),
            client_options={"api_endpoint": self.url},
        )

    def signed_url(
        self,
        bucket: str,
        name: str,
        *,
        method: str = "GET",
        life: dt.timedelta = dt.timedelta(minutes=5),
        **more: Any,
    ) -> str:
        """A V4 signed URL, made by Google's client; `more` goes to `generate_signed_url`."""
        blob = self.client(anonymous=True).bucket(bucket).blob(name)
        url: str = blob.generate_signed_url(
            version="v4",
            method=method,
            expiration=life,
            credentials=self.credentials(),
            api_access_endpoint=self.url,
            **more,
        )
        return url


def load_credentials(key_file: Path) -> Any:
    """What Google's libraries make of a service account's key file."""
    loader: Any = service_account.Credentials
    return loader.from_service_account_file(str(key_file))


def _nobody() -> Any:
    anonymous: Any = AnonymousCredentials
    return anonymous()


@contextmanager
def running_storage(
    *,
    buckets: Sequence[str] = (),
    root: Path | None = None,
    port: int = 0,
    require_token: bool = False,
) -> Iterator[RunningStorage]:
    """Run the stand-in in a thread of its own; without `root`, in a directory that then goes."""
    with TemporaryDirectory(prefix="tarsify-storage-") as folder:
        port = port or free_port()
        key_file = write_service_account(
            Path(folder) / "service-account.json", token_uri=f"http://127.0.0.1:{port}/token"
        )
        with in_thread(
            lambda: serve(
                root or Path(folder) / "objects",
                port=port,
                accounts=[key_file],
                buckets=buckets,
                require_token=require_token,
            )
        ) as (served, _):
            yield RunningStorage(served.url, key_file)
