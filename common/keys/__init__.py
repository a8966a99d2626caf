"""API keys: what programs sign in with, for consumers and developers."""
