"""The files of an environment that say where it is and take over what was made before Terraform."""

from __future__ import annotations

import json
from pathlib import Path

from infra.bootstrapping.installation import Installation

# Until the first release has pushed the real one; the job is not run before.
FIRST_IMAGE = "us-docker.pkg.dev/cloudrun/container/job:latest"


def variables(into: Installation, number: str, versions: dict[str, str]) -> str:
    """terraform.tfvars: no secret is in it, so it is committed."""
    place = {
        "project_id": into.project,
        "project_number": number,
        "region": into.region,
        **({"domain": into.domain} if into.domain else {}),
        "users_project": into.users_project,
        "developers_project": into.developers_project,
    }
    delivery = {
        "repository": into.repository,
        "state_bucket": into.state_bucket,
        "first_migrations_image": FIRST_IMAGE,
    }
    blocks = {
        "place": place,
        "delivery": delivery,
        "secret_versions": versions,
        "watching": {"email": into.alerts_email},
    }
    head = f'# Where the installation "{into.environment}" is. Written once by infra/bootstrap.\n'
    return head + "".join(_block(name, values) for name, values in blocks.items())


def takeover(into: Installation, versions: dict[str, str]) -> str:
    """Imports the secrets into the state with the first plan: they were there before it."""
    head = "# The secrets that infra/bootstrap made. Not committed; gone once there is a state.\n"
    resource = "module.installation.module.secrets.google_secret_manager_secret.this"
    blocks = (
        f"\nimport {{\n  to = {resource}[{json.dumps(name)}]\n"
        f'  id = "projects/{into.project}/secrets/{name}"\n}}\n'
        for name in versions
    )
    return head + "".join(blocks)


def write(root: Path, into: Installation, *, variables: str, takeover: str | None) -> list[str]:
    """Writes what is not there yet; answers what was done. Variables that are there are edited by
    people and stay as they are."""
    folder = root / into.folder
    done = []
    if not (folder / "terraform.tfvars").exists():
        _whole(folder / "terraform.tfvars", variables)
        done.append(f"wrote {into.folder}/terraform.tfvars")
    first = folder / "first-plan.tf"
    if takeover is None and first.exists():
        first.unlink()
        done.append(f"removed {into.folder}/first-plan.tf: there is a state")
    if takeover is not None and (not first.exists() or first.read_text() != takeover):
        _whole(first, takeover)
        done.append(f"wrote {into.folder}/first-plan.tf")
    return done


def _block(name: str, values: dict[str, str]) -> str:
    width = max(map(len, values))
    rows = (f"  {key:<{width}} = {json.dumps(value)}\n" for key, value in values.items())
    return f"\n{name} = {{\n{''.join(rows)}}}\n"


def _whole(path: Path, text: str) -> None:
    """All of it or nothing, whenever the process ends."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
