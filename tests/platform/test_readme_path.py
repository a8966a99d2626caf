"""The README's path of a consumer by curl, run as it stands there against a running platform."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.calling import Caller
from infra.local.platform import SIMULATOR_KEY, Options, Platform
from infra.local.ports import free_port
from infra.local.runpod.client import SimulatorClient
from infra.seeding import Admin, seed
from tests.world import SDXL_OUTPUT

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"<!-- path -->\n```bash\n(.*?)```\n<!-- /path -->", re.DOTALL)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("readme")
    folder.chmod(0o755)
    environment = {n: v for n, v in os.environ.items() if n not in {"DATABASE_URL"}}
    made = Platform(
        Options(
            folder=folder,
            port=free_port(),
            durable=False,
            workers=False,
            seconds_between_sweeps=86_400,
            environment=environment,
        )
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()


def slug_of_a_model(platform: Platform) -> str:
    """A published model that answers at once."""
    bases = seed(Admin(platform.url, platform.staff_token), platform.endpoints)
    simulator = SimulatorClient(platform.simulator_url, key=SIMULATOR_KEY)
    simulator.behave(
        platform.endpoints["RUNPOD_EP_SDXL"], {"mode": "instant", "output": SDXL_OUTPUT}
    )
    developer = Caller(platform.url, platform.token("tarsify-studio", "dana"))
    developer.call("POST", "/api/studio/auth/register", {})
    order = {
        "baseModelId": bases["sdxl-text-to-image"],
        "title": "Lighthouses",
        "slug": "lighthouses",
        "priceCredits": 10,
    }
    made = developer.call("POST", "/api/studio/tars-models", order)
    developer.call("POST", f"/api/studio/tars-models/{made['id']}/publish", {"action": "publish"})
    return str(made["slug"])


@pytest.mark.timeout(180)
def test_a_consumers_whole_path_by_curl_is_as_the_readme_tells_it(platform: Platform) -> None:
    slug = slug_of_a_model(platform)
    token = platform.token("tarsify-users", "alice")
    alice = Caller(platform.url, token)
    account = alice.call("POST", "/api/marketplace/auth/register", {})
    staff = Caller(platform.url, platform.staff_token)
    gift = {"consumerId": account["id"], "credits": 100, "reason": "a purse",
            "reference": account["id"]}  # fmt: skip
    staff.call("POST", "/api/admin/credits/grants", gift)
    found = BLOCK.search(README.read_text(encoding="utf-8"))
    assert found, "the README has no path"
    told = {
        "API": f"{platform.url}/api/marketplace",
        "TOKEN": token,
        "SLUG": slug,
        "RECEIVER": platform.receiver_url,
    }

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", found[1]],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"balance":100' in done.stdout
    assert "event: completed" in done.stdout
    assert '"mime":"image/png"' in done.stdout
    assert '"type":"run.completed"' in done.stdout
    (delivered,) = json.loads(done.stdout[done.stdout.rindex('[{"headers"') :])
    assert delivered["body"]["type"] == "run.completed"
    assert set(delivered["headers"]) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert alice.call("GET", "/api/marketplace/credits")["balance"] == 90
