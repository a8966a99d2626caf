"""Everything outside this process: one file per vendor, no tables, no sessions."""
