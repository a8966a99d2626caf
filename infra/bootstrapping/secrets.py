"""The secrets: asked for once, tried, stored in Secret Manager; never echoed, printed or logged."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable

from infra.bootstrapping.gcloud import Gcloud
from infra.bootstrapping.installation import Installation, secret_names
from infra.bootstrapping.vendors import Vendors

Ask = Callable[[str], str]


def ask(name: str) -> str:
    """One value from the terminal without echo, or a line of standard input that is none."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{name}: ").strip()
    print(f"{name}: read from standard input", flush=True)
    return sys.stdin.readline().strip()


def store(
    gcloud: Gcloud, into: Installation, vendors: Vendors, *, renew: set[str], ask: Ask
) -> dict[str, str]:
    """Each secret's newest version. One that has a version is left, unless it is to be renewed.

    A value is stored after it was tried, so what is stored was good. Raises BootstrapError.
    """
    at = f"--project={into.project}"
    present = gcloud.listed("secrets", "list", at, "--format=value(name.basename())")
    versions = {}
    for name in secret_names():
        if name not in present:
            gcloud.change("secrets", "create", name, at, "--replication-policy=automatic")
        version = _newest(gcloud, name, at)
        if version is None or name in renew:
            _put(gcloud, vendors, name, at, ask)
            version = _newest(gcloud, name, at)
        versions[name] = version or "1"
    return versions


def _newest(gcloud: Gcloud, name: str, at: str) -> str | None:
    """The number of the newest version that can be read."""
    found = gcloud.listed(
        *("secrets", "versions", "list", name, at, "--filter=state:ENABLED"),
        *("--sort-by=~createTime", "--limit=1", "--format=value(name.basename())"),
    )
    return found[0] if found else None


def _put(gcloud: Gcloud, vendors: Vendors, name: str, at: str, ask: Ask) -> None:
    value = ""
    if not gcloud.rehearsal:
        value = ask(name)
        print(f"{name}: {vendors.checked(name, value)}")
    gcloud.change("secrets", "versions", "add", name, at, "--data-file=-", given=value)
