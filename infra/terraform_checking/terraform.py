"""The terraform command, against the provider of this package instead of Google's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.packing.contents import ROOT

FOLDER = ROOT / "terraform"
# A plan needs a backend, and the real one needs an account.
LOCAL_BACKEND = 'terraform {\n  backend "local" {}\n}\n'
_NAMED = re.compile(r'^\s*(?:resource|data)\s+"(\w+)"', re.M)


class GateFailed(Exception):
    """A check did not pass; the message is what the tool said."""


class Terraform:
    """One working copy of terraform/, with a provider that answers as long as this is open."""

    def __init__(self, folder: Path, plugin: str) -> None:
        self.folder = folder
        self.environ = {
            **os.environ,
            "TF_REATTACH_PROVIDERS": plugin,
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "CHECKPOINT_DISABLE": "1",
        }

    def run(self, environment: str, *arguments: str) -> str:
        """What `terraform` prints in that environment's folder. Raises GateFailed."""
        where = self.folder / "environments" / environment
        return command(["terraform", f"-chdir={where}", *arguments], self.environ)

    def plan(self, environment: str) -> str:
        """Initialised, validated, tested and planned: the plan as JSON. Raises GateFailed."""
        override = self.folder / "environments" / environment / "backend_override.tf"
        override.write_text(LOCAL_BACKEND)
        self.run(environment, "init", "-input=false", "-no-color")
        self.run(environment, "validate", "-no-color")
        tested = self.run(environment, "test", "-no-color")
        if not re.search(r"Success! [1-9]\d* passed", tested):
            raise GateFailed(f"{environment}: no test ran\n{tested}")
        options = ("-input=false", "-lock=false", "-no-color", "-var-file=test.tfvars")
        self.run(environment, "plan", *options, "-out=plan")
        return self.run(environment, "show", "-json", "plan")


@contextmanager
def terraform(python: Path, schema: Path, source: Path = FOLDER) -> Iterator[Terraform]:
    """A copy of `source` to work in, and the provider beside it until the block ends."""
    with tempfile.TemporaryDirectory(prefix="tarsify-terraform-") as name:
        copy = Path(name) / "terraform"
        ignored = shutil.ignore_patterns(".terraform", "*.tfstate*")
        shutil.copytree(source, copy, ignore=ignored)
        program = Path(__file__).parent / "provider.py"
        server = subprocess.Popen(
            [python, program, schema, *types_of(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            yield Terraform(copy, server.stdout.readline().strip())
        finally:
            server.communicate()


def types_of(source: Path) -> list[str]:
    """The resource types that the configuration names: serving all of them takes seconds a call."""
    texts = (file.read_text(encoding="utf-8") for file in source.rglob("*.tf"))
    return sorted({kind for text in texts for kind in _NAMED.findall(text)})


def command(
    arguments: list[str], environ: dict[str, str] | None = None, where: Path | None = None
) -> str:
    """Standard output of a command. Raises GateFailed with all that it said."""
    done = subprocess.run(
        arguments, env=environ, cwd=where, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise GateFailed(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout
