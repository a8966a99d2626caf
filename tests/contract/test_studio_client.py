"""The fourteen calls of the studio's client (contract 6.2), sent and read as it does."""

from typing import Any

import pytest
import requests

from tests.contract.studio_client import (
    Refused,
    StudioClient,
    card,
    form,
    listed,
    rendered,
    shown_date,
)
from tests.executions import recorded
from tests.world import World

ME = "/api/studio/auth/me"
REGISTER = "/api/studio/auth/register"
PROFILE = "/api/studio/auth/profile"
MODELS = "/api/studio/tars-models"
DEVELOPER = {
    "id", "firebaseUid", "email", "displayName", "avatarUrl", "bio", "stripeAccountId", "verified",
    "profileComplete", "createdAt", "updatedAt", "totalEarnings", "pendingPayout", "modelCount",
}  # fmt: skip


@pytest.fixture
def ada(world: World) -> StudioClient:
    """A developer in the studio, registered with name and address as its sign-up page does."""
    client = StudioClient(world.base, "developers:ada")
    client.post(REGISTER, {"email": "ada@example.com", "displayName": "Ada Lovelace"})
    client.sent.clear()
    return client


def draft(world: World, client: StudioClient, **base: Any) -> dict[str, Any]:
    """A model made with the creation page's form."""
    base_id, endpoint = world.base_model(**base)
    body = {"baseModelId": base_id, "title": "Neon Art", "slug": "neon-art", "priceCredits": 10}
    made: dict[str, Any] = client.post(MODELS, body | {"description": "Glows."})
    return made | {"endpoint": endpoint}


def test_c1_every_page_load_asks_who_is_signed_in(ada: StudioClient) -> None:
    developer = ada.get(ME)
    assert set(developer) >= DEVELOPER
    assert developer["displayName"] == "Ada Lovelace"
    assert developer["email"] == "ada@example.com"
    assert developer["totalEarnings"] / 100 == 0
    shown_date(developer["createdAt"])


def test_c1_without_a_user_the_call_goes_out_all_the_same_and_is_refused(world: World) -> None:
    with pytest.raises(Refused) as refused:
        StudioClient(world.base, None).get(ME)
    assert (refused.value.status, refused.value.code) == (401, "MISSING_TOKEN")


def test_c2_c3_a_first_google_sign_in_registers_after_the_refusal(world: World) -> None:
    client = StudioClient(world.base, "developers:josé")
    with pytest.raises(Refused) as refused:
        client.get(ME)
    assert refused.value.status == 404
    registered = client.post(REGISTER, {"email": "", "displayName": "José Ñandú"})
    assert registered["displayName"] == "José Ñandú"
    assert client.get(ME) == registered


def test_c3_registering_by_mail_without_a_name_works(world: World) -> None:
    client = StudioClient(world.base, "developers:grace")
    registered = client.post(REGISTER, {"email": "grace@example.com"})
    assert set(registered) >= DEVELOPER
    assert registered["email"] == "grace@example.com"


def test_c3_the_reason_of_a_refusal_is_fit_to_be_shown(world: World) -> None:
    with pytest.raises(Refused) as refused:
        StudioClient(world.base, "developers:x").post(REGISTER, {"displayName": "x"})
    assert refused.value.message == "displayName: must have at least 2 characters"


def test_c4_the_settings_page_reads_the_profile(ada: StudioClient) -> None:
    developer = ada.get(ME)
    assert [developer[name] for name in ("bio", "avatarUrl")] == [None, None]
    assert isinstance(developer["totalEarnings"], int)


def test_c5_saving_the_settings_replaces_the_stored_developer(ada: StudioClient) -> None:
    saved = {"displayName": "Ada L.", "bio": "I count.", "avatarUrl": "https://a.example/me.png"}
    stored = ada.put(PROFILE, saved)
    assert {name: stored[name] for name in saved} == saved
    cleared = ada.put(PROFILE, {"displayName": "Ada L.", "bio": None, "avatarUrl": None})
    assert (cleared["bio"], cleared["avatarUrl"]) == (None, None)
    assert set(cleared) >= DEVELOPER
    assert cleared == ada.get(ME)


def test_c6_completing_the_profile(ada: StudioClient) -> None:
    body = {"displayName": "Ada", "payoutEmail": "pay@example.com", "country": "gb"}
    developer = ada.post("/api/studio/auth/complete-profile", body)
    assert set(developer) >= DEVELOPER
    assert developer["profileComplete"] is True


def test_c7_the_creation_page_lists_base_models(world: World, ada: StudioClient) -> None:
    base_id, _ = world.base_model(name="Painter", description="Paints.", estimatedSeconds=15)
    (base,) = ada.get(f"{MODELS}/base-models")["baseModels"]
    read = {name: base[name] for name in ("id", "name", "description", "category", "outputType")}
    assert read == {
        "id": base_id,
        "name": "Painter",
        "description": "Paints.",
        "category": "IMAGE",
        "outputType": "IMAGE",
    }
    assert base["estimatedSeconds"] == 15


def test_c8_the_dashboard_lists_the_models(world: World, ada: StudioClient) -> None:
    answer = ada.get(f"{MODELS}?page=1&limit=20")
    assert listed(answer) == []
    assert answer["pagination"]["total"] == 0
    made = draft(world, ada)
    answer = ada.get(f"{MODELS}?page=1&limit=20")
    assert [card(each) for each in listed(answer)] == [
        {
            "title": "Neon Art",
            "price": "10 credits",
            "runs": "0 runs",
            "status": "DRAFT",
            "made of": made["baseModel"]["name"],
            "output": "IMAGE",
        }
    ]
    assert answer["pagination"]["total"] == 1


def test_c9_the_detail_edit_and_test_pages_read_a_model(world: World, ada: StudioClient) -> None:
    made = draft(world, ada)
    model = ada.get(f"{MODELS}/{made['id']}")
    assert card(model)["title"] == "Neon Art"
    assert (model["description"], model["slug"]) == ("Glows.", "neon-art")
    assert (model["priceCredits"], model["totalRuns"], model["publishedAt"]) == (10, 0, None)
    assert list(form(model)) == [
        ("prompt", "string", True),
        ("width", "integer", False),
        ("seed", "integer", False),
        ("num_inference_steps", "integer", False),
    ]
    steps = model["baseModel"]["inputSchema"]["properties"]["num_inference_steps"]
    assert (steps["default"], steps["minimum"], steps["maximum"]) == (25, 1, 50)


@pytest.mark.parametrize(
    "limits",
    [
        {"title": "abc", "slug": "abc", "priceCredits": 1},
        {"title": "x" * 100, "slug": "s" * 50, "description": "d" * 500, "priceCredits": 10_000},
    ],
)
def test_c10_whatever_the_creation_form_lets_through_is_accepted(
    world: World, ada: StudioClient, limits: dict[str, Any]
) -> None:
    base_id, _ = world.base_model()
    made = ada.post(MODELS, {"baseModelId": base_id, **limits})
    assert ada.get(f"{MODELS}/{made['id']}")["priceCredits"] == limits["priceCredits"]


def test_c11_saving_the_edit_page(world: World, ada: StudioClient) -> None:
    path = f"{MODELS}/{draft(world, ada)['id']}"
    ada.put(path, {"title": "Neon", "description": "New", "priceCredits": 12})
    model = ada.get(path)
    assert (model["title"], model["description"], model["priceCredits"]) == ("Neon", "New", 12)
    ada.put(path, {"title": "Neon", "priceCredits": 12})
    assert ada.get(path)["description"] == "New"


def test_c12_the_delete_button(world: World, ada: StudioClient) -> None:
    path = f"{MODELS}/{draft(world, ada)['id']}"
    assert ada.delete(path) is None
    with pytest.raises(Refused) as refused:
        ada.get(path)
    assert refused.value.status == 404


def test_c13_the_publish_button(world: World, ada: StudioClient) -> None:
    path = f"{MODELS}/{draft(world, ada)['id']}"
    ada.post(f"{path}/publish", {"action": "publish"})
    model = ada.get(path)
    assert model["status"] == "PUBLISHED"
    shown_date(model["publishedAt"])
    (public,) = requests.get(f"{world.base}/api/marketplace/models", timeout=10).json()["data"]
    assert public["slug"] == "neon-art"


def test_c14_the_test_page_runs_the_model_with_the_fields_touched(
    world: World, ada: StudioClient
) -> None:
    made = draft(world, ada)
    run = ada.post(f"{MODELS}/{made['id']}/test-run", {"inputs": {"prompt": "a lighthouse"}})
    kind, address = rendered(run, "IMAGE")
    assert (run["status"], run["error"], kind) == ("COMPLETED", None, "IMAGE")
    assert isinstance(run["executionTimeMs"], int)
    assert requests.get(address, timeout=10).content.startswith(b"\x89PNG")
    assert run["output"]["seed"] == 7


WORKERS: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "IMAGE": ("IMAGE", "sdxl", recorded.SDXL, {"prompt": "x"}),
    "AUDIO": (
        "AUDIO",
        "chatterbox",
        {"audio_base64": recorded.base64_of(recorded.wav()), "sample_rate": 24_000},
        {"prompt": "x"},
    ),
    "TEXT": ("TEXT", "vllm", recorded.VLLM_NEW_CHAT, {"prompt": "x"}),
    "JSON": ("JSON", "faster_whisper", recorded.WHISPER, {"prompt": "x"}),
}


@pytest.mark.parametrize("kind", WORKERS)
def test_c14_each_kind_of_output_is_rendered(world: World, ada: StudioClient, kind: str) -> None:
    output_type, adapter, output, inputs = WORKERS[kind]
    made = draft(world, ada, outputType=output_type, outputAdapter=adapter)
    world.simulator.behave(made["endpoint"], {"mode": "instant", "output": output})
    run = ada.post(f"{MODELS}/{made['id']}/test-run", {"inputs": inputs})
    view, content = rendered(run, output_type)
    if kind == "IMAGE":
        assert view == "IMAGE"
        assert requests.get(content, timeout=10).headers["Content-Type"] == "image/png"
    elif kind == "AUDIO":
        assert view == "AUDIO"
        assert requests.get(content, timeout=10).content.startswith(b"RIFF")
    elif kind == "TEXT":
        assert view == "TEXT"
        assert isinstance(content, str)
        assert content.strip()
    else:
        assert view == "json"
        assert content["transcription"] == " Four score"


def test_c14_a_test_that_failed_shows_why(world: World, ada: StudioClient) -> None:
    made = draft(world, ada)
    secret = "Unexpected input. image is not a valid input option. (worker gpu-7)"
    world.simulator.behave(made["endpoint"], {"mode": "instant", "error": secret})
    run = ada.post(f"{MODELS}/{made['id']}/test-run", {"inputs": {"prompt": "x"}})
    assert run["status"] == "FAILED"
    assert rendered(run, "IMAGE") == ("error", "The model did not accept these inputs.")


def test_c14_inputs_that_do_not_fit_are_refused_with_a_reason_to_show(
    world: World, ada: StudioClient
) -> None:
    path = f"{MODELS}/{draft(world, ada)['id']}/test-run"
    with pytest.raises(Refused) as refused:
        ada.post(path, {"inputs": {"prompt": "x", "width": 513}})
    assert refused.value.status == 422
    assert refused.value.message.startswith("width: ")
