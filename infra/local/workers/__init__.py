"""CPU stand-ins for GPU workers: real programs on RunPod's SDK, with the shapes of runpod.md 5.

They draw, speak, listen and write for real, by small means. The programs run in an environment of
their own (`environment`), as processes (`processes`).
"""
