"""A deterministic simulation of Tarsify: real handlers and PostgreSQL, everything else seeded.

Time, Cloud Tasks, RunPod, storage, consumers and crashes are drawn from one seed, so that a run
that breaks a promise can be played again word for word. The oracle is conservation and a small
model of what really happened at the GPUs, never a list of expected values.
"""
