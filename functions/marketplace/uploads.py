"""A consumer's own files, to be inputs of runs."""

import uuid

from common.errors import AccountSuspended, ConsumerNotFound, TooManyUploads
from common.http import Call
from common.http.app import Routes
from common.runtime import runtime
from common.uploads import service as uploads
from common.uploads.schemas import UploadIn, UploadOut
from functions.marketplace.guards import consumer_id

routes = Routes()


@routes.route(
    "POST",
    "/uploads",
    guard=consumer_id("runs:write"),
    body=UploadIn,
    out=UploadOut,
    status=201,
    errors=(ConsumerNotFound, AccountSuspended, TooManyUploads),
)
def allow_upload(call: Call[uuid.UUID, UploadIn, None]) -> UploadOut:
    """Answers where to PUT a file, and the URI under which a run takes it."""
    parts = runtime()
    with parts.db.transaction() as session:
        row = uploads.allow(
            session,
            call.body,
            consumer_id=call.principal,
            upload_id=call.new_id(),
            now=parts.clock.now(),
        )
    return uploads.shown(parts, row)
