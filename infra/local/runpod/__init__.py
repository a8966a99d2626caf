"""A simulator of RunPod Serverless: its job API, its worker protocol, its faults, on one port."""
