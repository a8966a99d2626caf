"""`infra/verify` against the real local platform: all well, with faults, and interrupted."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from infra.local.platform import (
    DEVELOPERS_PROJECT,
    SIMULATOR_KEY,
    USERS_PROJECT,
    Options,
    Platform,
)
from infra.local.ports import free_port
from infra.local.runpod.client import SimulatorClient
from infra.seeding import Admin, seed
from tests.world import SDXL_OUTPUT

ROOT = Path(__file__).parents[2]
ENDPOINT = "local-sdxl"
LINE = re.compile(r"^(ok|FAILED|skipped) +[\d.]+ s  (.*?): ", re.M)
STARTED = "a run starts, and its repetition is the same run"
UNDOING = {
    "the model is off the market",
    "no run is left going",
    "what runs cost is given back",
    "what was paid is given back",
    "the given credits are taken back",
    "the model is deleted",
}


@dataclass
class Installation:
    """A running platform with the seed catalogue, and the three people who verify it."""

    platform: Platform
    tokens: dict[str, str]

    def command(self, **tokens: str) -> dict[str, Any]:
        """How infra/verify is started."""
        given = {**self.tokens, **tokens}
        return {
            "args": [
                *(str(ROOT / "infra" / "verify"), "--url", self.platform.url, "--wait", "60"),
                *("--internal-url", self.platform.function_url("tasks")),
                *("--internal-url", self.platform.function_url("cleanup")),
            ],
            "env": {**os.environ, **{f"VERIFY_{k.upper()}_TOKEN": v for k, v in given.items()}},
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def verify(self, *arguments: str, **tokens: str) -> "Outcome":
        command = self.command(**tokens)
        command["args"] += arguments
        done = subprocess.run(**command, timeout=150, check=False)
        return Outcome(done.returncode, done.stdout)

    def begun(self) -> tuple["subprocess.Popen[str]", str]:
        """A verification whose run has started and will take long, and what it printed so far."""
        self.behave(output=SDXL_OUTPUT)
        process = subprocess.Popen(**self.command())
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "test run of it is free" in line:
                self.behave(output=SDXL_OUTPUT, run_ms=60_000)
            if STARTED in line:
                return process, printed
        raise AssertionError(printed)

    def behave(self, **behaviour: Any) -> None:
        """How jobs go at RunPod from now on: slow enough that a run can be cancelled."""
        runpod = SimulatorClient(self.platform.simulator_url, key=SIMULATOR_KEY)
        runpod.behave(ENDPOINT, **{"mode": "script", "run_ms": 1500, **behaviour})
        runpod.close()

    def standing(self) -> dict[str, Any]:
        """What must be the same before and after, straight from the database."""
        assert self.platform.postgres is not None
        engine = create_engine(
            self.platform.postgres.url("tarsify"), connect_args={"ssl_context": False}
        )
        with engine.connect() as connection:
            found = {name: list(connection.execute(text(sql))) for name, sql in STANDING.items()}
        engine.dispose()
        return found


STANDING = {
    "wallets and earnings": "SELECT kind, posted, pending FROM ledger.balance"
    " WHERE kind IN ('wallet', 'receivable', 'developer_payable', 'platform_fee')"
    " AND (posted <> 0 OR pending <> 0)",
    "live runs": "SELECT id FROM executions WHERE phase <> 'done'",
    "charged runs": "SELECT execution_id FROM earnings WHERE reversed_at IS NULL",
    "models": "SELECT slug FROM tars_models WHERE deleted_at IS NULL",
    "broken": "SELECT * FROM ledger.violation",
}
AS_BEFORE: dict[str, list[Any]] = {name: [] for name in STANDING}


@dataclass
class Outcome:
    """What a verification printed and ended with."""

    code: int
    printed: str

    def lines(self, outcome: str) -> set[str]:
        return {said for what, said in LINE.findall(self.printed) if what == outcome}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    options = Options(
        folder=tmp_path_factory.mktemp("platform"),
        port=free_port(),
        durable=False,
        workers=False,
        seconds_between_sweeps=5,
        environment={},
    )
    platform = Platform(options)
    try:
        platform.start()
        seed(Admin(platform.url, platform.staff_token), platform.endpoints)
        tokens = {
            "consumer": platform.token(USERS_PROJECT, "vera"),
            "developer": platform.token(DEVELOPERS_PROJECT, "victor"),
            "staff": platform.staff_token,
        }
        yield Installation(platform, tokens)
    finally:
        platform.stop()


@contextmanager
def dead(platform: Platform, name: str) -> Iterator[None]:
    """A function whose process dies again before it can answer, however often it is started."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.05):
            with suppress(ProcessLookupError):
                os.killpg(platform.supervisor.pid(name), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
        platform.supervisor.wait_ready(name)


@pytest.mark.timeout(240)
def test_a_sound_installation_passes_every_check_and_is_as_it_was(
    installation: Installation,
) -> None:
    installation.behave(output=SDXL_OUTPUT)

    outcome = installation.verify()

    assert (outcome.code, outcome.lines("FAILED")) == (0, set()), outcome.printed
    assert outcome.lines("skipped") == set()
    assert len(outcome.lines("ok")) > 35
    assert "image/png" in outcome.printed
    assert "were paid at the stand-in" in outcome.printed
    assert "10 = 7 for the developer + 3 for the platform" in outcome.printed
    assert installation.standing() == AS_BEFORE


@pytest.mark.timeout(240)
def test_a_function_that_cannot_be_reached_fails_its_own_line_alone(
    installation: Installation,
) -> None:
    installation.behave(output=SDXL_OUTPUT)

    with dead(installation.platform, "callback"):
        outcome = installation.verify()

    assert (outcome.code, outcome.lines("FAILED")) == (1, {"callback is ready"}), outcome.printed
    assert outcome.lines("skipped") == set()
    assert installation.standing() == AS_BEFORE


@pytest.mark.timeout(240)
def test_a_gpu_provider_that_fails_every_job_fails_the_runs_and_nothing_else(
    installation: Installation,
) -> None:
    installation.behave(error="ValueError: prompt is required")  # not tried again

    outcome = installation.verify()

    failed = {"a test run of it is free and succeeds", "the run ends well"}
    assert (outcome.code, outcome.lines("FAILED")) == (1, failed), outcome.printed
    assert outcome.lines("skipped") == {
        "its result can be fetched whole",
        "its receipt adds up",
        "the statement shows what it cost",
        "the developer sees the earning",
    }
    assert outcome.lines("ok") > UNDOING | {"a cancelled run costs nothing"}
    assert installation.standing() == AS_BEFORE


@pytest.mark.timeout(240)
def test_without_a_developer_all_that_needs_none_is_still_checked_and_undone(
    installation: Installation,
) -> None:
    outcome = installation.verify(developer=installation.tokens["consumer"])

    assert outcome.code == 1
    assert outcome.lines("FAILED") == {
        "nobody is let in with a token of the other side",
        "the developer has an account",
    }, outcome.printed
    assert "the run ends well" in outcome.lines("skipped")
    assert outcome.lines("ok") > UNDOING | {
        "Checkout opens for a purchase",
        "staff give credits, once per reference",
        "the wallet is as it was",
    }
    assert installation.standing() == AS_BEFORE


@pytest.mark.timeout(240)
def test_without_staff_nothing_is_done_that_only_staff_could_take_back(
    installation: Installation,
) -> None:
    installation.behave(output=SDXL_OUTPUT)

    outcome = installation.verify(staff=installation.tokens["developer"])

    assert outcome.code == 1
    assert outcome.lines("FAILED") == {
        "staff see the audit clean",
        "staff see what differs",
        "staff give credits, once per reference",
        "the audit is clean",
    }, outcome.printed
    assert "asks for 500 cents; nothing is paid" in outcome.printed
    assert {STARTED, "a cancelled run costs nothing"} < outcome.lines("skipped")
    assert outcome.lines("ok") > UNDOING | {"the wallet is as it was"}
    assert installation.standing() == AS_BEFORE


@pytest.mark.timeout(240)
def test_an_interrupted_verification_takes_everything_back_first(
    installation: Installation,
) -> None:
    process, printed = installation.begun()

    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)  # an impatient operator
    printed += process.communicate(timeout=120)[0]

    outcome = Outcome(process.returncode, printed)
    assert outcome.code == 1
    assert outcome.lines("FAILED") == set(), printed
    assert outcome.lines("ok") > UNDOING | {"the wallet is as it was"}
    assert "1 were cancelled" in printed
    assert "it was stopped" in printed
    assert "the run ends well" not in printed
    assert installation.standing() == AS_BEFORE


@pytest.mark.timeout(240)
def test_what_a_killed_verification_left_is_taken_back_by_its_mark(
    installation: Installation,
) -> None:
    process, printed = installation.begun()
    process.kill()
    process.communicate()
    assert installation.standing() != AS_BEFORE

    outcome = installation.verify("--undo", printed.splitlines()[0].split()[-1])

    assert outcome.code == 0, outcome.printed
    assert outcome.lines("ok") > UNDOING | {"what stays by design comes to nothing"}
    assert installation.standing() == AS_BEFORE


def test_tokens_that_are_missing_are_named_before_anything_is_asked() -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("VERIFY_")}
    done = subprocess.run(
        [str(ROOT / "infra" / "verify"), "--url", "http://localhost:9", "--staff-token", "x"],
        env=bare,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "no token of: consumer, developer" in done.stderr
