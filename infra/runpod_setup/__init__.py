"""`infra/runpod-setup`: the endpoints of infra/catalog.yaml at RunPod."""
