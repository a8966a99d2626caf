"""What keeps the market decent: words that inputs may not have, reports, suspensions."""
