"""Consumers and developers: who is registered, under which name, and who is suspended."""
