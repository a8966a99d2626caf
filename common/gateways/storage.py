"""Cloud Storage: results are kept in a private bucket and shown through short-lived signed URLs.

Google's own client throughout. Locally only its address and its key file differ.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Any

from common.boundary import assert_no_session
from common.gateways.errors import GatewayError
from common.settings import Settings

CONNECT_TIMEOUT_S = 3.0
# Names follow from contents, so what was read once never changes.
_CACHE_CONTROL = "private, max-age=31536000, immutable"


class StorageUnavailable(GatewayError):
    """Cloud Storage, or the signing of a URL, gave no answer or refused us."""


class Storage:
    """One client per process, built on first use; the bucket is OUTPUT_BUCKET unless one is given.

    Each call is repeated on passing trouble for `patience_s` at most: a callback has 10 s to answer
    (runpod.md 2.4), and whoever gives up is called again. `answer_s` is how long a storage that
    says nothing is waited for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        bucket: str | None = None,
        patience_s: float = 6.0,
        answer_s: float = 10.0,
    ) -> None:
        self._settings = settings
        self._bucket = bucket or settings.output_bucket
        self._patience_s = patience_s
        self._timeout = (CONNECT_TIMEOUT_S, answer_s)

    def put(self, name: str, content: bytes, content_type: str) -> None:
        """Stores an object unless one of that name is there. Raises StorageUnavailable.

        The condition makes repeating safe, also for the client's own retries.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(name)
        blob.cache_control = _CACHE_CONTROL
        with _translated():
            try:
                blob.upload_from_string(
                    content,
                    content_type=content_type,
                    if_generation_match=0,
                    timeout=self._timeout,
                    retry=self._retry,
                )
            except PreconditionFailed:
                return

    def exists(self, name: str) -> bool:
        """Whether there is such an object. Raises StorageUnavailable."""
        with _translated():
            return bool(self._blob(name).exists(timeout=self._timeout, retry=self._retry))

    def delete(self, name: str) -> None:
        """Removes an object; one that is gone already is fine. Raises StorageUnavailable."""
        from google.api_core.exceptions import NotFound

        with _translated():
            try:
                self._blob(name).delete(timeout=self._timeout, retry=self._retry)
            except NotFound:
                return

    def signed_url(self, name: str, *, ttl_s: int) -> str:
        """A V4 signed GET URL, good for ttl_s seconds (at most 7 days) to whoever holds it.

        In the cloud this is a call to IAM, since a function has no key of its own. Raises
        StorageUnavailable.
        """
        with _translated():
            url: str = self._blob(name).generate_signed_url(
                version="v4",
                method="GET",
                expiration=timedelta(seconds=ttl_s),
                api_access_endpoint=self._settings.storage_emulator_host or None,
                **self._signer(),
            )
        return url

    def signed_upload(
        self, name: str, *, content_type: str, most_bytes: int, ttl_s: int
    ) -> tuple[str, dict[str, str]]:
        """A V4 signed PUT URL and the headers that must come with it: of this type and size only.

        Raises StorageUnavailable.
        """
        sized = {"x-goog-content-length-range": f"1,{most_bytes}"}
        with _translated():
            url: str = self._blob(name).generate_signed_url(
                version="v4",
                method="PUT",
                expiration=timedelta(seconds=ttl_s),
                content_type=content_type,
                headers=sized,
                api_access_endpoint=self._settings.storage_emulator_host or None,
                **self._signer(),
            )
        return url, {"Content-Type": content_type, **sized}

    def _signer(self) -> dict[str, Any]:
        """A key file signs here; without one, IAM signs for the function's service account."""
        credentials = self._credentials
        if self._settings.storage_signer_key_file:
            return {"credentials": credentials}
        if not credentials.valid:
            from google.auth.transport.requests import Request

            credentials.refresh(Request())
        return {
            "service_account_email": credentials.service_account_email,
            "access_token": credentials.token,
        }

    @cached_property
    def _retry(self) -> Any:
        """Passing trouble only, and not for the two minutes that the client would take itself."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(self._patience_s)

    def _blob(self, name: str) -> Any:
        assert_no_session()
        return self._client.bucket(self._bucket).blob(name)

    @cached_property
    def _client(self) -> Any:
        from google.cloud.storage import Client

        host = self._settings.storage_emulator_host
        return Client(
            project=self._settings.gcp_project,
            credentials=self._credentials,
            client_options={"api_endpoint": host} if host else None,
        )

    @cached_property
    def _credentials(self) -> Any:
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        if self._settings.storage_signer_key_file:
            from google.oauth2 import service_account

            read: Any = service_account.Credentials.from_service_account_file
            return read(self._settings.storage_signer_key_file, scopes=scopes)
        import google.auth

        return google.auth.default(scopes=scopes)[0]


@contextmanager
def _translated() -> Iterator[None]:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise StorageUnavailable(type(error).__name__) from error
