"""Refusals, in the words of both of Cloud Storage's APIs."""

from __future__ import annotations

from http import HTTPStatus
from xml.sax.saxutils import escape

from aiohttp import web


class StorageError(Exception):
    """An answer other than success; `reason` is JSON's word for it, `code` is XML's."""

    def __init__(self, status: int, reason: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.code = code
        self.message = message

    def as_json(self) -> web.Response:
        """The JSON API's error document."""
        detail = {"message": self.message, "domain": "global", "reason": self.reason}
        error = {"code": self.status, "message": self.message, "errors": [detail]}
        return web.json_response({"error": error}, status=self.status)

    def as_xml(self) -> web.Response:
        """The XML API's error document."""
        text = (
            "<?xml version='1.0' encoding='UTF-8'?>"
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        )
        return web.Response(
            text=text, status=self.status, content_type="application/xml", charset="UTF-8"
        )


def bad_request(message: str, code: str = "InvalidArgument") -> StorageError:
    """400."""
    return StorageError(HTTPStatus.BAD_REQUEST, "invalid", code, message)


def no_bucket(name: str) -> StorageError:
    """404 for a bucket."""
    message = f"The specified bucket does not exist: {name}"
    return StorageError(HTTPStatus.NOT_FOUND, "notFound", "NoSuchBucket", message)


def no_object(bucket: str, name: str) -> StorageError:
    """404 for an object."""
    return StorageError(
        HTTPStatus.NOT_FOUND, "notFound", "NoSuchKey", f"No such object: {bucket}/{name}"
    )


def no_route(path: str) -> StorageError:
    """404 for a path that is no part of the API."""
    return StorageError(HTTPStatus.NOT_FOUND, "notFound", "NotFound", f"Not found: {path}")


def conflict(message: str, code: str) -> StorageError:
    """409."""
    return StorageError(HTTPStatus.CONFLICT, "conflict", code, message)


def condition_failed() -> StorageError:
    """412."""
    return StorageError(
        HTTPStatus.PRECONDITION_FAILED,
        "conditionNotMet",
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold.",
    )


def not_changed() -> StorageError:
    """304."""
    return StorageError(HTTPStatus.NOT_MODIFIED, "notModified", "NotModified", "Not modified")


def forbidden(code: str, message: str) -> StorageError:
    """403."""
    return StorageError(HTTPStatus.FORBIDDEN, "forbidden", code, message)


def unauthenticated(message: str) -> StorageError:
    """401."""
    return StorageError(HTTPStatus.UNAUTHORIZED, "required", "AuthenticationRequired", message)
