"""A stand-in for Cloud Tasks that the real client talks to."""
