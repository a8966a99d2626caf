"""Starts and stops worker processes; only their environment says whose jobs they take."""

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from infra.local.supervisor import end_with_parent
from infra.local.workers.environment import ROOT, ensure_environment

Kind = Literal["sdxl", "faster_whisper", "vllm", "chatterbox"]

KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables that a worker inherits; everything else of ours is none of its business."""


def start_worker(
    kind: Kind,
    endpoint_id: str,
    sim_url: str,
    key: str,
    *,
    directory: Path | None = None,
    worker_id: str | None = None,
    **env: str,
) -> "subprocess.Popen[bytes]":
    """Start a worker that takes jobs of `endpoint_id` from `sim_url` (ending in /v2).

    `env` is added to its environment (`BUCKET_ENDPOINT_URL`, `VLLM_GENERATION`, ...). It runs in
    `directory` (a fresh one if none is given) and logs to `worker.log` there. It leads a process
    group, as the SDK starts a second process for its heartbeat: end it by `stop_worker`.
    """
    home = directory or Path(tempfile.mkdtemp(prefix=f"{kind}-"))
    home.mkdir(parents=True, exist_ok=True)
    variables = worker_environment(kind, endpoint_id, sim_url, key, home) | env
    if worker_id:
        variables["RUNPOD_POD_ID"] = worker_id
    with (home / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [str(ensure_environment()), "-u", "-m", f"infra.local.workers.{kind}"],
            cwd=home,
            env=variables,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # A worker whose simulator is gone asks for jobs without a pause.
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, no locks
        )


def worker_environment(
    kind: str, endpoint_id: str, sim_url: str, key: str, home: Path
) -> dict[str, str]:
    """All that a worker's process is told; whatever else is set here is none of its business."""
    variables = _inherited() | _protocol(endpoint_id, sim_url, key)
    # HOME too: the SDK would prefer a key from the home's configuration file to the one given.
    variables |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    return variables | {"RUNPOD_POD_ID": f"{kind}-{os.urandom(4).hex()}"}


def stop_worker(process: "subprocess.Popen[bytes]", *, patience: float = 0.0) -> None:
    """End a worker and its heartbeat; wait real seconds of `patience` for it to go by itself.

    A worker that waits for a job ends only when its long poll does, so it is killed by default.
    """
    if patience:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _protocol(endpoint_id: str, sim_url: str, key: str) -> dict[str, str]:
    """What turns a program on the SDK into a worker of the platform (runpod.md 6.3)."""
    base = f"{sim_url.rstrip('/')}/{endpoint_id}"
    return {
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=SIM",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=SIM",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=SIM",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID",
        "RUNPOD_AI_API_KEY": key,
        "RUNPOD_ENDPOINT_ID": endpoint_id,
        "RUNPOD_PING_INTERVAL": "1000",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_SKIP_GPU_CHECK": "true",
        "RUNPOD_ALLOW_PRIVATE_DOWNLOAD_URLS": "1",
        "RUNPOD_LOG_LEVEL": "INFO",
    }
