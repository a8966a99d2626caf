"""Pictures drawn by arithmetic: the prompt chooses colours and forms, the seed where they lie."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]


def draw(
    prompt: str, *, width: int, height: int, seed: int, steps: int, guidance: float = 7.5
) -> Image.Image:
    """A picture of `width` x `height` pixels. More `steps` give finer forms, guidance contrast."""
    rng = np.random.default_rng([seed, *hashlib.sha256(prompt.encode()).digest()])
    y, x = np.mgrid[0 : height or 1, 0 : width or 1].astype(np.float32)
    x, y = x / max(width, 1), y / max(height, 1)
    field = _waves(rng, x, y, layers=4 + min(steps, 60) // 10)
    palette = rng.uniform(0.0, 1.0, (3, 3)).astype(np.float32)
    phase = np.clip((field - 0.5) * np.float32(0.6 + guidance / 10) + 0.5, 0.0, 1.0)
    pixels = _colour(palette, phase)
    for _ in range(3):
        _add_disc(pixels, rng, x, y)
    return Image.fromarray((pixels * 255).astype(np.uint8), "RGB")


def redraw(source: Image.Image, target: Image.Image, *, strength: float) -> Image.Image:
    """`source` at the target's size, moved towards the target by `strength` (0 to 1)."""
    base = source.convert("RGB").resize(target.size)
    return Image.blend(base, target, min(1.0, max(0.0, strength)))


def _waves(rng: np.random.Generator, x: Plane, y: Plane, *, layers: int) -> Plane:
    field = np.zeros_like(x)
    for layer in range(1, layers + 1):
        across, down, phase = rng.uniform(-6, 6), rng.uniform(-6, 6), rng.uniform(0, 2 * np.pi)
        field += (
            np.sin(np.float32(across * layer) * x + np.float32(down * layer) * y + phase) / layer
        )
    low, high = float(field.min()), float(field.max())
    return (field - np.float32(low)) / np.float32(max(high - low, 1e-6))


def _colour(palette: NDArray[np.float32], phase: Plane) -> NDArray[np.float32]:
    """Blend three colours along `phase`."""
    first = np.clip(1 - 2 * phase, 0, 1)[..., None]
    last = np.clip(2 * phase - 1, 0, 1)[..., None]
    return first * palette[0] + (1 - first - last) * palette[1] + last * palette[2]


def _add_disc(pixels: NDArray[np.float32], rng: np.random.Generator, x: Plane, y: Plane) -> None:
    centre, radius = rng.uniform(0.1, 0.9, 2), rng.uniform(0.04, 0.2)
    inside = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
    pixels[inside] = 0.35 * pixels[inside] + 0.65 * rng.uniform(0, 1, 3)
