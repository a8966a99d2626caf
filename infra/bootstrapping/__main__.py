"""From nothing to the first plan of an installation.

Makes the state bucket, switches on the services, links the Firebase projects, asks for the secrets
and stores them, and writes the environment's terraform.tfvars. Whatever is there already is left,
so it can be run again at any time, also after it was killed. --dry-run prints every command.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from common.settings import ConfigurationError, read
from infra.bootstrapping.gcloud import Gcloud
from infra.bootstrapping.installation import BootstrapError, Installation, secret_names
from infra.bootstrapping.project import (
    FIREBASE,
    SERVICES,
    link_firebase,
    project_number,
    state_bucket,
    switch_on,
)
from infra.bootstrapping.secrets import ask, store
from infra.bootstrapping.terraform import takeover, variables, write
from infra.bootstrapping.vendors import Vendors

ROOT = Path(__file__).parents[2]
# What common/payments/hearing.py follows.
OWN_EVENTS = (
    "checkout.session.*, payment_intent.*, charge.*, refund.*, transfer.reversed, transfer.updated"
)
CONNECTED_EVENTS = "account.updated, account.application.deauthorized"


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The command line; answers the number to exit with."""
    options = _parser().parse_args(arguments)
    try:
        into = Installation(
            environment=options.environment,
            project=options.project,
            users_project=options.users_project,
            developers_project=options.developers_project,
            region=options.region,
            domain=options.domain,
            repository=options.repository,
            alerts_email=options.alerts_email,
        )
        _bootstrap(into, options, environment)
    except (BootstrapError, ConfigurationError, requests.RequestException) as error:
        print(f"infra/bootstrap: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="infra/bootstrap",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--environment", required=True, choices=["dev", "staging", "prod"])
    add("--project", required=True, help="project of the installation")
    add("--users-project", required=True, help="Firebase project of consumers")
    add("--developers-project", required=True, help="Firebase project of developers and staff")
    add("--region", default="us-central1")
    add("--domain", help="host of the installation; dev can do without")
    add("--repository", required=True, help="Cloud Build's link to the repository: projects/...")
    add("--alerts-email", required=True, help="who is told when something is wrong")
    add("--renew", action="append", default=[], choices=secret_names(), help="ask for it again")
    add("--dry-run", action="store_true", help="print every command, run none")
    return parser


def _bootstrap(
    into: Installation, options: argparse.Namespace, environment: Mapping[str, str]
) -> None:
    settings = read({k: v for k, v in environment.items() if k in {*_ADDRESSES}})
    vendors = Vendors(
        runpod=settings.runpod_base_url,
        runpod_management=settings.runpod_management_url,
        stripe=settings.stripe_api_url,
        live=into.environment == "prod",
    )
    gcloud = Gcloud(rehearsal=options.dry_run)
    number = project_number(gcloud, into.project)
    switch_on(gcloud, into.project, SERVICES)
    state_bucket(gcloud, into)
    for project in (into.users_project, into.developers_project):
        link_firebase(gcloud, project, address=environment.get("FIREBASE_URL", FIREBASE))
    _tell_addresses(into)
    versions = store(gcloud, into, vendors, renew={*options.renew}, ask=ask)
    _write(gcloud, into, number, versions)


_ADDRESSES = ("RUNPOD_BASE_URL", "RUNPOD_MANAGEMENT_URL", "STRIPE_API_URL")


def _tell_addresses(into: Installation) -> None:
    """Stripe shows a signing secret once its webhook is made, so this comes before the secrets."""
    origin = into.origin or "https://<host: `terraform output` after the first apply>"
    print(
        f"Stripe, webhook of your account:        {origin}/api/webhooks/stripe\n"
        f"    events: {OWN_EVENTS}\n"
        f"Stripe, webhook of connected accounts:  {origin}/api/webhooks/stripe/connect\n"
        f"    events: {CONNECTED_EVENTS}\n"
        f"RunPod calls, told with each job:       {origin}/api/webhooks/runpod/...\n"
        "    nothing to set there"
    )


def _write(gcloud: Gcloud, into: Installation, number: str, versions: dict[str, str]) -> None:
    has_state = gcloud.read("storage", "objects", "describe", into.state_object) is not None
    text = variables(into, number, versions)
    if gcloud.rehearsal:
        print(f"# {into.folder}/terraform.tfvars\n{text}")
        return
    takes = None if has_state else takeover(into, versions)
    for line in write(ROOT, into, variables=text, takeover=takes):
        print(line)
    newest = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"secrets: {newest}")
    print(
        "next: infra/pack && "
        f"ENVIRONMENT={into.environment} STATE_BUCKET={into.state_bucket} infra/release/plan"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
