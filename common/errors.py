"""Every error a caller can meet, in one tree. A class owns its code, its status and its message.

    TarsifyError
      BadRequest 400          MalformedBody, InvalidRequest, UnsupportedAction, BadSignature
      Unauthorized 401        MissingToken, InvalidToken, TokenExpired, WrongProject, InvalidKey,
                              KeyEnded
      InsufficientCredits, SpendLimitReached 402
      Forbidden 403           NotAnAdmin, AccountSuspended, WalletFrozen, KeyNotAllowed
      NotFound 404            RouteNotFound, ConsumerNotFound, DeveloperNotFound, ModelNotFound,
                              BaseModelNotFound, EndpointNotFound, ExecutionNotFound,
                              PurchaseNotFound, KeyNotFound, WebhookNotFound,
                              DeliveryNotFound, UploadNotFound, ReportNotFound
      MethodNotAllowed 405
      Conflict 409            EmailTaken, SlugTaken, EndpointTaken, BaseModelSlugTaken,
                              InvalidStatus, FrozenField, ExecutionEnded, RequestInFlight,
                              ModelChanged, BaseModelInactive, NotEnoughLeft, NotRefundable,
                              PayoutAccountMissing, BelowLeastPayout, TooManyKeys, TooManyWebhooks,
                              UploadNotReady, RunsUnderWay, CreditsLeft,
                              TextDelivered, TooManyUploads, PurchaseOpen
      BodyTooLarge 413
      UnsupportedMediaType 415
      Unprocessable 422       InvalidInputs, InputsRefused, InvalidOverrides,
                              InvalidInputSchema, NotPublishable, IdempotencyKeyReused
      TooManyRequests 429     TestQuotaUsed, PurchaseLimitReached
      Unexpected 500
      Unavailable 503         IdentityUnavailable, ModelUnavailable, PaymentsUnavailable,
                              TooManyStreams, NotReady

The docstring is the default message: it is shown to people, so it says what to do next.
A gateway's own failures (`GatewayError`) are not in this tree: no vendor text crosses the edge.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, TypedDict


class FieldError(TypedDict):
    """One refused field: its dotted path on the wire, and why."""

    field: str
    message: str


class TarsifyError(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or self.default_message()
        self.details = details
        super().__init__(self.message)

    @classmethod
    def code(cls) -> str:
        """The class name as the constant that clients read, e.g. INSUFFICIENT_CREDITS."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()

    @classmethod
    def default_message(cls) -> str:
        return " ".join((cls.__doc__ or "").split())

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to this error."""
        return {}


class BadRequest(TarsifyError):
    """The request is not valid."""

    status = 400


class BadSignature(BadRequest):
    """The signature does not fit the body."""


class MalformedBody(BadRequest):
    """The body is not valid JSON. Send a JSON object."""


class InvalidRequest(BadRequest):
    """The request is not valid. See details.errors for each field."""

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "InvalidRequest":
        """Puts the first reason into the message: many clients show nothing else."""
        return cls(_summary(errors), errors=list(errors))


class UnsupportedAction(BadRequest):
    """This action is not known. Use publish or archive."""


class Unauthorized(TarsifyError):
    """Sign in to use this route."""

    status = 401

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class MissingToken(Unauthorized):
    """Send your ID token in the header: Authorization: Bearer <token>."""


class InvalidToken(Unauthorized):
    """This ID token is not valid. Sign in again."""


class TokenExpired(Unauthorized):
    """This ID token has expired. Refresh it and try again."""


class WrongProject(Unauthorized):
    """This ID token was issued for another application. Sign in to this one."""


class InvalidKey(Unauthorized):
    """This API key is not known. Check that it is complete."""


class KeyEnded(Unauthorized):
    """This API key was revoked or has expired. Make a new one."""


class InsufficientCredits(TarsifyError):
    """There are not enough credits for this run. Buy credits and try again."""

    status = 402


class SpendLimitReached(TarsifyError):
    """This API key's spend limit is reached. Use another key or wait for the next period."""

    status = 402


class Forbidden(TarsifyError):
    """You may not do this."""

    status = 403


class NotAnAdmin(Forbidden):
    """This route is for Tarsify staff."""


class AccountSuspended(Forbidden):
    """This account is suspended. Contact support."""


class WalletFrozen(Forbidden):
    """Your wallet is frozen. Contact support."""


class KeyNotAllowed(Forbidden):
    """This API key may not do this."""


class NotFound(TarsifyError):
    """There is nothing here."""

    status = 404


class RouteNotFound(NotFound):
    """There is no such route."""


class ConsumerNotFound(NotFound):
    """You are signed in but not registered. Register first."""


class DeveloperNotFound(NotFound):
    """You are signed in but not registered as a developer. Register first."""


class ModelNotFound(NotFound):
    """There is no such model."""


class BaseModelNotFound(NotFound):
    """There is no such base model."""


class EndpointNotFound(NotFound):
    """There is no such endpoint."""


class PurchaseNotFound(NotFound):
    """There is no such purchase."""


class KeyNotFound(NotFound):
    """There is no such API key."""


class WebhookNotFound(NotFound):
    """There is no such webhook."""


class DeliveryNotFound(NotFound):
    """There is no such delivery."""


class UploadNotFound(NotFound):
    """There is no such upload, or it has expired. Upload the file again."""


class DifferenceNotFound(NotFound):
    """No such difference is open. It may have gone, or somebody has closed it."""


class ReportNotFound(NotFound):
    """There is no such report."""


class ExecutionNotFound(NotFound):
    """There is no such run."""


class MethodNotAllowed(TarsifyError):
    """This route does not answer this method."""

    status = 405

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.details["allowed"])}


class Conflict(TarsifyError):
    """The request conflicts with the present state."""

    status = 409


class EmailTaken(Conflict):
    """Another account uses this e-mail address. Sign in with that account."""


class SlugTaken(Conflict):
    """Another model uses this slug. Choose another one."""


class EndpointTaken(Conflict):
    """This RunPod endpoint is registered already."""


class BaseModelSlugTaken(Conflict):
    """Another base model uses this slug. Choose another one."""


class InvalidStatus(Conflict):
    """The model's present status does not allow this."""


class FrozenField(Conflict):
    """A published model keeps its title, slug and price. Archive it to change them."""


class BaseModelInactive(Conflict):
    """This base model is not offered any more. Choose another one."""


class ModelChanged(Conflict):
    """The model changed while the run was starting. Try again."""

    retryable = True


class ExecutionEnded(Conflict):
    """This run has ended already."""


class TextDelivered(Conflict):
    """Text of this run was delivered to you already, so it goes on to its end and is charged."""


class TooManyUploads(Conflict):
    """You have as many uploads waiting as there may be. Use them, or wait until they expire."""


class PurchaseOpen(Conflict):
    """A purchase may still be paid. Pay it, or wait until it has expired, a day at most."""


class NotEnoughLeft(Conflict):
    """There is less left than was asked for."""


class NotRefundable(Conflict):
    """This cannot be refunded: it was not paid for."""


class PayoutAccountMissing(Conflict):
    """Connect a Stripe account that can be paid first."""


class BelowLeastPayout(Conflict):
    """The amount is below the least payout."""


class TooManyKeys(Conflict):
    """You have as many live API keys as there may be. Revoke one first."""


class TooManyWebhooks(Conflict):
    """You have as many webhooks as there may be. Remove one first."""


class UploadNotReady(Conflict):
    """The file has not been uploaded yet. PUT it to the uploadUrl first."""


class RunsUnderWay(Conflict):
    """Runs or payouts are still under way. Wait for their end."""


class CreditsLeft(Conflict):
    """There are credits or earnings left. Use them, or say that you give them up."""


class AccountOwes(Conflict):
    """The account owes something, or its credits are frozen. Settle that with the support first."""


class RequestInFlight(Conflict):
    """The same request is still being worked on. Try again in a moment."""

    retryable = True


class BodyTooLarge(TarsifyError):
    """The body is too large."""

    status = 413


class UnsupportedMediaType(TarsifyError):
    """Send the body as application/json."""

    status = 415


class Unprocessable(TarsifyError):
    """The request cannot be carried out."""

    status = 422


class InvalidInputs(Unprocessable):
    """The inputs do not fit this model. See details.errors for each field."""

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "InvalidInputs":
        return cls(_summary(errors), errors=list(errors))


class InputsRefused(Unprocessable):
    """These inputs have words that this model does not take."""

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "InputsRefused":
        return cls(_summary(errors), errors=list(errors))


class InvalidOverrides(Unprocessable):
    """The configuration does not fit the base model. See details.errors for each field."""

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "InvalidOverrides":
        return cls(_summary(errors), errors=list(errors))


class InvalidInputSchema(Unprocessable):
    """The input schema is not a valid JSON Schema (2020-12) of an object with properties."""


class NotPublishable(Unprocessable):
    """The model cannot be published yet. See details.errors for what is missing."""

    @classmethod
    def of(cls, errors: Sequence[FieldError]) -> "NotPublishable":
        return cls(_summary(errors), errors=list(errors))


class IdempotencyKeyReused(Unprocessable):
    """This Idempotency-Key was used with another request. Use a new key."""


class TooManyRequests(TarsifyError):
    """Too many requests. Wait a moment and try again."""

    status = 429
    retryable = True

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.details.get("retryAfterSeconds", 1))}


class PurchaseLimitReached(TooManyRequests):
    """A new account may buy only so much a day. Try again tomorrow."""

    retryable = False


class TestQuotaUsed(TooManyRequests):
    """Today's free test runs are used up. Try again tomorrow."""

    retryable = False


class Unexpected(TarsifyError):
    """Something went wrong on our side. Try again; if it stays, send us the request id."""

    retryable = True


class Unavailable(TarsifyError):
    """The service is not available at the moment. Try again in a moment."""

    status = 503
    retryable = True


class IdentityUnavailable(Unavailable):
    """Sign-in cannot be checked at the moment. Try again in a moment."""


class PaymentsUnavailable(Unavailable):
    """Payments cannot be made at the moment. You were not charged. Try again in a moment."""


class ModelUnavailable(Unavailable):
    """This model cannot be run at the moment. Your credits were not touched."""


class TooManyStreams(Unavailable):
    """Too many runs are followed here at the moment. Try again in a moment."""


class NotReady(Unavailable):
    """The service is starting or has lost a part it needs."""


def _summary(errors: Sequence[FieldError]) -> str | None:
    if not errors:
        return None
    first = f"{errors[0]['field']}: {errors[0]['message']}" if errors[0]["field"] else None
    head = first or errors[0]["message"]
    return head if len(errors) == 1 else f"{head} (and {len(errors) - 1} more)"
