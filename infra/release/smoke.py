"""Whether what was packed is what answers: `python -m infra.release.smoke URL ARCHIVES`.

Each path of the front door leads to a function that says who it is, which version it runs and that
its database answered. The version is the beginning of its archive's digest: that is what RELEASE
must be, so that a function changes only if its code did.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.local.front_door import TABLE

VERSION_LENGTH = 12
PATIENCE_SECONDS = 90.0  # a new revision may be cold, and the load balancer learns of it late
PAUSE_SECONDS = 2.0
ANSWER_SECONDS = 20.0


def smoke(url: str, archives: Mapping[str, Mapping[str, str]], patience: float) -> list[str]:
    """A complaint for each path of the front door that is not as packed within `patience` s."""
    ends_at = time.monotonic() + patience
    complaints = []
    for path, name in ready_paths().items():
        version = archives[name]["sha256"][:VERSION_LENGTH]
        complaint = _complaint(url, path, name, version)
        while complaint and time.monotonic() < ends_at:
            time.sleep(min(PAUSE_SECONDS, patience))
            complaint = _complaint(url, path, name, version)
        if complaint:
            complaints.append(f"{path}: {complaint}")
    return complaints


def ready_paths() -> dict[str, str]:
    """For each prefix of the front door the path that asks for readiness, and who must answer."""
    routes: dict[str, str] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["routes"]
    return {
        f"{prefix.removesuffix('/health')}/health/ready": name for prefix, name in routes.items()
    }


def _complaint(url: str, path: str, name: str, version: str) -> str:
    """What is wrong with one answer; empty when nothing is."""
    try:
        with urllib.request.urlopen(url.rstrip("/") + path, timeout=ANSWER_SECONDS) as answer:
            said = json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        return f"answered {error.code}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"no usable answer ({type(error).__name__})"
    return _differences(said, name, version)


def _differences(said: Mapping[str, Any], name: str, version: str) -> str:
    expected = {"service": f"tarsify-{name}", "version": version, "status": "healthy"}
    wrong = [f"{key} is {said.get(key)}" for key, it in expected.items() if said.get(key) != it]
    return ", ".join(wrong)


def main(arguments: list[str]) -> None:
    """Ends with the complaints, if any."""
    url, archives = arguments
    found = smoke(url, json.loads(Path(archives).read_text(encoding="utf-8")), PATIENCE_SECONDS)
    if found:
        sys.exit("not as packed:\n" + "\n".join(found))
    print("every public function answers as packed")


if __name__ == "__main__":
    main(sys.argv[1:])
