"""The story: a consumer buys credits, a developer publishes four models, the consumer runs them,
one run fails, and the developer is paid.

It is told through the one origin, as existing frontends talk to it, and every step is checked.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from rich.console import Console
from rich.table import Table

from infra.calling import Caller
from infra.local.stripe.client import StripeControl

if TYPE_CHECKING:
    from infra.local.platform import Platform

WAIT_SECONDS = 240.0
PURCHASE_CENTS = 500
SAYING = "hello from tarsify"


class StoryFailed(RuntimeError):
    """A step did not end as it should; the message says which and how."""


@dataclass(frozen=True)
class Chapter:
    """One model of the story: what the developer makes of which base model, and one run."""

    base: str
    title: str
    price: int
    overrides: dict[str, Any]
    inputs: dict[str, Any]
    shows: str


class Story:
    """Plays the story on a platform, showing progress and a receipt for each run."""

    def __init__(self, platform: Platform, console: Console) -> None:
        self._platform, self._console = platform, console
        self._mark = uuid.uuid4().hex[:6]
        token = platform.token
        self._staff = Caller(platform.url, platform.staff_token)
        self._developer = Caller(platform.url, token("tarsify-studio", f"dana-{self._mark}"))
        self._consumer = Caller(platform.url, token("tarsify-users", f"alice-{self._mark}"))
        self._receipts: list[dict[str, Any]] = []

    def play(self, base_models: dict[str, str]) -> None:
        """From registration to receipts. Raises StoryFailed or CallFailed at a wrong step."""
        account = self._register()
        speech: dict[str, Any] = {}
        for chapter in self._chapters():
            if chapter.base not in base_models:
                self._say(f"skipped {chapter.title}: no endpoint id for {chapter.base}")
                continue
            slug = self._publish(chapter, base_models[chapter.base])
            inputs = _with_speech(chapter.inputs, speech)
            if inputs is None:
                self._say(f"skipped {chapter.title}: there is no speech to listen to")
                continue
            run = self._run(chapter, slug, inputs)
            if chapter.base == "chatterbox-tts":
                speech = run["outputPayload"]
        if not self._platform.real_runpod:
            self._fail_once(base_models)
        self._check_balances(account)
        if not self._platform.real_stripe:
            self._pay_out()
        self._show_receipts()

    def _register(self) -> dict[str, Any]:
        self._developer.call("POST", "/api/studio/auth/register", {"email": ""})
        # Earnings are due after a week and from $50 on; the story ends today.
        terms = {"clearingDays": 0, "minimumPayoutCents": 1}
        self._staff.call("PUT", "/api/admin/earnings/terms", terms)
        account: dict[str, Any] = self._consumer.call("POST", "/api/marketplace/auth/register", {})
        if self._platform.real_stripe:
            self._give(account["id"])
        else:
            self._buy()
        self._say(f"Dana develops, Alice has {PURCHASE_CENTS} credits")
        return account

    def _buy(self) -> None:
        """Alice pays on Stripe's page; the credits come by its webhook or when she is back."""
        credits_path = "/api/marketplace/credits"
        opened = self._consumer.call(
            "POST", f"{credits_path}/purchase", {"amountCents": PURCHASE_CENTS}
        )
        stripe = StripeControl(self._platform.stripe_url, key=self._platform.stripe_key)
        stripe.pay(opened["checkoutUrl"].rpartition("/")[2])
        stripe.close()
        bought = self._consumer.call("GET", f"{credits_path}/purchases/{opened['id']}")
        if bought["status"] != "paid":
            raise StoryFailed(f"the purchase is {bought['status']}, not paid")
        self._say(f"Alice paid {bought['amountPaidDisplay']}")

    def _give(self, consumer_id: str) -> None:
        """With the real Stripe nobody here can pay: staff give the credits."""
        grant = {
            "consumerId": consumer_id,
            "credits": PURCHASE_CENTS,
            "reason": "the story's purse",
            "reference": str(uuid.uuid4()),
        }
        self._staff.call("POST", "/api/admin/credits/grants", grant)

    def _pay_out(self) -> None:
        """Dana connects an account and is paid what she earned."""
        self._developer.call("POST", "/api/studio/payouts/connect-stripe", {"country": "US"})
        stripe = StripeControl(self._platform.stripe_url, key=self._platform.stripe_key)
        stripe.onboard(self._developer.call("GET", "/api/studio/auth/me")["stripeAccountId"])
        stripe.close()
        due = self._developer.call("GET", "/api/studio/earnings")["availableBalance"]
        if self._developer.call("GET", "/api/studio/payouts/account")["payoutsEnabled"] is not True:
            raise StoryFailed("the developer's account cannot be paid")
        payout = self._developer.call("POST", "/api/studio/payouts/request", {})
        if (payout["status"], payout["amount"]) != ("completed", due):
            raise StoryFailed(f"the payout of {due} cents is {payout}")
        self._say(f"Dana was paid ${payout['amount'] / 100:.2f}")

    def _chapters(self) -> list[Chapter]:
        wrap = {"promptPrefix": "A watercolour of ", "lockedInputs": {"num_inference_steps": 20}}
        return [
            Chapter(
                "sdxl-text-to-image",
                "Watercolours",
                12,
                wrap,
                {"prompt": "a lighthouse in a storm", "width": 768, "height": 768},
                "image_url",
            ),
            Chapter("chatterbox-tts", "Narrator", 5, {}, {"text": SAYING}, "audio_url"),
            Chapter("whisper-transcribe", "Scribe", 4, {}, {"audio": "<speech>"}, "text"),
            Chapter(
                "vllm-chat",
                "Storyteller",
                3,
                {"promptPrefix": "Tell a short story about: "},
                {"prompt": "a fox and a lantern"},
                "text",
            ),
        ]

    def _publish(self, chapter: Chapter, base_model_id: str) -> str:
        slug = f"{chapter.title.lower()}-{self._mark}"
        body = {
            "baseModelId": base_model_id,
            "title": chapter.title,
            "slug": slug,
            "priceCredits": chapter.price,
            "configOverrides": chapter.overrides,
        }
        made = self._developer.call("POST", "/api/studio/tars-models", body)
        path = f"/api/studio/tars-models/{made['id']}/publish"
        self._developer.call("POST", path, {"action": "publish"})
        return slug

    def _run(self, chapter: Chapter, slug: str, inputs: dict[str, Any]) -> dict[str, Any]:
        started = self._consumer.call(
            "POST", f"/api/marketplace/models/{slug}/run", {"inputs": inputs}
        )
        run = self._wait(chapter.title, started["executionId"])
        output = run["outputPayload"] or {}
        if run["status"] != "COMPLETED" or not output.get(chapter.shows):
            raise StoryFailed(f"{chapter.title}: {run['status']} {run['errorMessage']} {output}")
        if chapter.base == "whisper-transcribe" and output["text"].strip().lower() != SAYING:
            raise StoryFailed(f"{chapter.title} heard {output['text']!r}, not {SAYING!r}")
        for medium in output["outputs"]:
            if len(requests.get(medium["url"], timeout=30).content) != medium["bytes"]:
                raise StoryFailed(f"{chapter.title}: the result could not be fetched whole")
        self._say(f"{chapter.title}: {_glimpse(output, chapter.shows)}")
        self._receipts.append(run)
        return run

    def _wait(self, title: str, execution_id: str) -> dict[str, Any]:
        ends_at = time.monotonic() + WAIT_SECONDS
        path = f"/api/marketplace/runs/{execution_id}"
        # Without webhooks a client that waits asks for the newest state itself.
        sync = "true" if self._platform.real_runpod else "false"
        with self._console.status("") as status:
            while time.monotonic() < ends_at:
                seen = self._consumer.call("GET", f"{path}/status?sync={sync}")
                status.update(f"{title}: {seen['status']}")
                if seen["completedAt"]:
                    run: dict[str, Any] = self._consumer.call("GET", path)
                    return run
                time.sleep(0.2)
        raise StoryFailed(f"{title}: not done within {WAIT_SECONDS:.0f} s")

    def _fail_once(self, base_models: dict[str, str]) -> None:
        """A picture that does not exist: the worker fails, and the credits come back."""
        chapter = Chapter("sdxl-image-to-image", "Repainter", 9, {}, {}, "image_url")
        slug = self._publish(chapter, base_models[chapter.base])
        nowhere = f"http://127.0.0.1:{self._platform.ports['storage']}/none/no-such-picture.png"
        started = self._consumer.call(
            "POST",
            f"/api/marketplace/models/{slug}/run",
            {"inputs": {"prompt": "as an oil painting", "image_url": nowhere}},
        )
        run = self._wait(chapter.title, started["executionId"])
        if run["status"] != "FAILED" or run["billing"]["state"] != "RELEASED":
            raise StoryFailed(f"{chapter.title} should fail and cost nothing, but: {run}")
        self._say(f"{chapter.title}: failed as planned, nothing charged: {run['errorMessage']}")
        self._receipts.append(run)

    def _check_balances(self, account: dict[str, Any]) -> None:
        spent = sum(run["billing"]["capturedCredits"] for run in self._receipts)
        left = self._consumer.call("GET", "/api/marketplace/auth/me")["creditsBalance"]
        earned = self._developer.call("GET", "/api/studio/auth/me")["totalEarnings"]
        if left != PURCHASE_CENTS - spent or earned != spent * 7 // 10:
            raise StoryFailed(
                f"{account['id']} spent {spent}: {left} credits left, {earned} cents earned"
            )
        self._say(f"Alice spent {spent} credits and has {left}; Dana earned {earned} cents")

    def _show_receipts(self) -> None:
        table = Table(title="Receipts", title_justify="left")
        for name in ("run", "status", "queue", "work", "price", "charged", "developer", "platform"):
            table.add_column(name, justify="left" if name in {"run", "status"} else "right")
        for run in self._receipts:
            charged = run["billing"]["capturedCredits"]
            table.add_row(
                run["tarsModel"]["title"],
                run["status"],
                _milliseconds(run["queueTimeMs"]),
                _milliseconds(run["executionTimeMs"]),
                str(run["priceCredits"]),
                str(charged),
                f"{charged * 0.7:.1f}",
                f"{charged * 0.3:.1f}",
            )
        self._console.print(table)

    def _say(self, sentence: str) -> None:
        self._console.print(f"  {sentence}", markup=False)


def _with_speech(inputs: dict[str, Any], speech: dict[str, Any]) -> dict[str, Any] | None:
    """Whisper listens to what the text-to-speech model said."""
    if inputs.get("audio") != "<speech>":
        return inputs
    return {"audio": speech["audio_url"]} if speech else None


def _glimpse(output: dict[str, Any], key: str) -> str:
    media = output["outputs"]
    if media:
        return f"{media[0]['mime']}, {media[0]['bytes']:,} bytes"
    text = str(output[key]).strip().replace("\n", " ")
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _milliseconds(value: int | None) -> str:
    return "" if value is None else f"{value:,} ms"
