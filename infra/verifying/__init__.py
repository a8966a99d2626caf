"""`infra/verify`: the whole story against an installation that serves people, and back again."""
