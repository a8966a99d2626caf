"""Prints an ID token of a local user. It works with infra/up only: it is signed by nobody."""

import argparse

from infra.local.identity.unsigned import mint_local_token
from infra.local.platform import DEVELOPERS_PROJECT, USERS_PROJECT


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="infra/token", description=__doc__)
    parser.add_argument("project", choices=["users", "developers"])
    parser.add_argument("name", help="any name: alice, dana, ...")
    parser.add_argument("--admin", action="store_true", help="with the claim of staff")
    options = parser.parse_args()
    project = USERS_PROJECT if options.project == "users" else DEVELOPERS_PROJECT
    claims = {"admin": True} if options.admin else {}
    email = f"{options.name}@example.com"
    print(mint_local_token(project, options.name, email, name=options.name.title(), **claims))


if __name__ == "__main__":
    main()
