"""Reading and writing WAV, with the standard library and numpy."""

import io
import wave

import numpy as np

from infra.local.workers.tones import Samples

FULL_SCALE = {1: 128.0, 2: 32768.0, 4: 2147483648.0}


def write_wav(samples: Samples, sample_rate: int) -> bytes:
    """A mono 16-bit WAV file of samples in -1..1."""
    pcm = (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm.tobytes())
    return target.getvalue()


def read_wav(content: bytes) -> tuple[Samples, int]:
    """Samples in -1..1, channels averaged, and the sample rate.

    Raises:
        ValueError: not a PCM WAV file.
    """
    try:
        with wave.open(io.BytesIO(content), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as problem:
        raise ValueError(f"Invalid data found when processing input: {problem}") from problem
    if width not in FULL_SCALE:
        raise ValueError(f"unsupported sample width of {width} bytes")
    kind = "u1" if width == 1 else f"<i{width}"
    samples = np.frombuffer(frames, dtype=kind).astype(np.float64)
    samples = (samples - (128.0 if width == 1 else 0.0)) / FULL_SCALE[width]
    return samples.reshape(-1, channels).mean(axis=1), rate
