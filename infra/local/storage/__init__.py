"""A stand-in for Cloud Storage that the real client, and any browser, talks to."""
