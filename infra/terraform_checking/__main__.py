"""`infra/terraform_check`: all of terraform/ against the google provider's real schema."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from infra.terraform_checking.gate import check, environments
from infra.terraform_checking.terraform import GateFailed
from infra.terraform_checking.tools import BINDINGS, missing_terraform


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Ends with what failed, if anything did."""
    parser = argparse.ArgumentParser(prog="infra/terraform_check", description=__doc__)
    parser.add_argument("environment", nargs="*", help="default: all of terraform/environments")
    parser.add_argument("--bindings", default=BINDINGS, help=f"their version; default: {BINDINGS}")
    given = parser.parse_args(arguments)
    if unknown := set(given.environment) - set(environments()):
        parser.error(f"there is no {', '.join(sorted(unknown))} in terraform/environments")
    if reason := missing_terraform():
        print(f"SKIPPED, nothing was checked: {reason}", file=sys.stderr)
        return
    try:
        check(given.environment or environments(), given.bindings)
    except GateFailed as failure:
        sys.exit(f"terraform_check: {failure}")


if __name__ == "__main__":
    main()
