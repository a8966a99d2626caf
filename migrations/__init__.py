"""The schema's history. Forward only: add, backfill, enforce."""
