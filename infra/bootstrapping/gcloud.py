"""Google Cloud by its command line, as the operator is signed in there."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from typing import Any

from infra.bootstrapping.installation import BootstrapError


class Gcloud:
    """Runs commands, and prints those that change something. A rehearsal prints all and runs none.

    A value that may be secret goes to a command's standard input, never into its arguments.
    """

    def __init__(self, *, rehearsal: bool) -> None:
        self.rehearsal = rehearsal
        if not rehearsal and shutil.which("gcloud") is None:
            raise BootstrapError("gcloud is not on the PATH: install the Google Cloud CLI")

    def read(self, *arguments: str) -> str | None:
        """What a command prints; None when it fails, which for a look means: not there."""
        if self.rehearsal:
            self._print(arguments)
            return None
        done = self._run(arguments, None)
        return done.stdout.strip() if done.returncode == 0 else None

    def listed(self, *arguments: str) -> list[str]:
        """The lines of a listing. Raises BootstrapError when the command fails."""
        if self.rehearsal:
            self._print(arguments)
            return []
        return self._must(arguments, None).split()

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """A listing in JSON. Raises BootstrapError when the command fails."""
        if self.rehearsal:
            self._print(arguments)
            return []
        found: list[dict[str, Any]] = json.loads(self._must(arguments, None) or "[]")
        return found

    def change(self, *arguments: str, given: str | None = None) -> str:
        """Does something, and says so. Raises BootstrapError when the command fails."""
        self._print(arguments, "  # the value on standard input" if given is not None else "")
        return "" if self.rehearsal else self._must(arguments, given)

    def _must(self, arguments: tuple[str, ...], given: str | None) -> str:
        done = self._run(arguments, given)
        if done.returncode != 0:
            raise BootstrapError(f"{_shown(arguments)}\n{done.stderr.strip()}")
        return done.stdout.strip()

    def _run(
        self, arguments: tuple[str, ...], given: str | None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["gcloud", *arguments, "--quiet"],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            check=False,
        )

    def _print(self, arguments: tuple[str, ...], note: str = "") -> None:
        print(f"$ {_shown(arguments)}{note}", flush=True)


def _shown(arguments: tuple[str, ...]) -> str:
    return shlex.join(["gcloud", *arguments])
