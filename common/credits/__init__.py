"""Credits: the ledger, and the wallet as a consumer sees it."""
