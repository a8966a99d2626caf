"""Uploads on the wire."""

import uuid
from typing import Annotated, Literal

from pydantic import Field

from common.http import AS_NUMBER, In, Out, Timestamp

MOST_BYTES = 200 * 1024 * 1024
ContentType = Annotated[
    str,
    Field(
        pattern=r"^((image|audio|video)/[a-z0-9.+-]{1,60}|text/plain|application/(pdf|json))$",
        examples=["audio/wav"],
    ),
]


class UploadIn(In):
    """A file that is to be uploaded: of which type, and how many bytes at most."""

    content_type: ContentType
    bytes: Annotated[int, Field(ge=1, le=MOST_BYTES, examples=[1_000_000]), AS_NUMBER]


class UploadListed(Out):
    """An upload that was allowed, as its owner may take along; bytes at most."""

    id: uuid.UUID
    content_type: str
    most_bytes: int
    expires_at: Timestamp


class UploadOut(Out):
    """PUT the file to `uploadUrl` with exactly these headers; then `uri` can be any input of
    `format: uri`, until `expiresAt`."""

    id: uuid.UUID
    uri: str
    method: Literal["PUT"]
    upload_url: str
    headers: dict[str, str]
    upload_ends_at: Timestamp
    expires_at: Timestamp
