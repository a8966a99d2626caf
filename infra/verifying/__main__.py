"""Verifies an installation: plays the whole story on it over HTTP, as people's browsers would.

Every check is a line: ok, FAILED, or skipped if an earlier one did not get what it needs. It ends
0 only if all are ok. At the end, also after a failure or Ctrl-C, runs are refunded, credits taken
back and the model is deleted; ledger, audit log, runs and the two accounts stay by design. If it
was killed, do that with --undo.

It needs the ID tokens of three people made for this, as options or, where other users of the
machine do not see them, in the environment: VERIFY_CONSUMER_TOKEN, VERIFY_DEVELOPER_TOKEN and
VERIFY_STAFF_TOKEN. infra/token makes them for infra/up. Nothing is ever paid but at infra/up's own
stand-in for Stripe.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from infra.calling import Caller
from infra.verifying.story import take_back, verify
from infra.verifying.visit import Visit, Wanted

ROLES = ("consumer", "developer", "staff")


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The command line; answers the number to exit with."""
    parser = _parser(environment)
    options = parser.parse_args(arguments)
    tokens = {role: getattr(options, f"{role}_token") for role in ROLES}
    if missing := [role for role, token in tokens.items() if not token]:
        parser.error(f"no token of: {', '.join(missing)}")
    url = options.url.rstrip("/")
    wanted = Wanted(
        url=url,
        origin=options.origin or url,
        base_model=options.base_model,
        inputs=options.inputs,
        wait_seconds=options.wait,
        internal_urls=tuple(options.internal_url),
    )
    consumer, developer, staff = (Caller(url, token) for token in tokens.values())
    visit = Visit(wanted, consumer, developer, staff, mark=options.undo or uuid.uuid4())
    _tell(f"{'Taking back at' if options.undo else 'Verifying'} {url}: {visit.mark}")
    played = take_back if options.undo else verify
    return 0 if played(visit, _tell) else 1


def _tell(line: str) -> None:
    """A reader who has gone (a closed terminal) must not keep anything from going back."""
    with suppress(OSError):
        print(line, flush=True)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="infra/verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--url", required=True, help="the front door's origin")
    for role in ROLES:
        default = environment.get(f"VERIFY_{role.upper()}_TOKEN")
        add(f"--{role}-token", default=default, help=f"ID token of the {role}")
    add("--origin", help="a browser origin that is let in; default: the front door's")
    add("--base-model", default="sdxl-text-to-image", help="slug of what to make a model of")
    add(
        "--inputs",
        type=_object,
        default={"prompt": "a lighthouse in a storm"},
        help="JSON object: what to run it with",
    )
    add(
        "--undo",
        type=uuid.UUID,
        help="take back what the verification of this mark left: its first line says it",
    )
    add("--wait", type=float, default=900.0, help="seconds that a run may take to its end")
    add(
        "--internal-url",
        action="append",
        default=[],
        help="own address of an internal function, which must refuse as well; may be repeated",
    )
    return parser


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("give a JSON object")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
