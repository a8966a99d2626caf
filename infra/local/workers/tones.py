"""Speech made of tones: each byte of the text is a burst of two tones, one per half byte.

Both ends are real signal processing: `speak` synthesises samples, `listen` finds bursts by their
energy and reads the two strongest frequencies of each, so pace, loudness, sample rate and a
slightly different pitch do not matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

LOW_HZ = 600.0 + 100.0 * np.arange(16)
HIGH_HZ = 2500.0 + 100.0 * np.arange(16)
BURST_SECONDS = 0.030
GAP_SECONDS = 0.010
FRAME_SECONDS = 0.002
LONGEST_DETUNE_HZ = 20.0
LEAST_PURITY = 0.55
"""Share of a burst's energy that its two tones must hold; speech, music and noise have less."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One decoded character; times in seconds, `purity` 0 to 1 is how sure the ear is."""

    text: str
    start: float
    end: float
    purity: float


def speak(
    text: str, *, sample_rate: int, detune_hz: float = 0.0, pace: float = 1.0, loudness: float = 0.6
) -> Samples:
    """Samples in -1..1 that say `text`. `pace` above 1 is faster; detune is at most 20 Hz."""
    burst = int(sample_rate * BURST_SECONDS / pace)
    gap = np.zeros(int(sample_rate * GAP_SECONDS / pace))
    ramp = np.minimum(1.0, np.arange(burst) / (0.1 * burst))
    times = np.arange(burst) / sample_rate
    envelope = ramp * ramp[::-1] * loudness / 2
    low = [np.sin(2 * np.pi * (hz + detune_hz) * times) * envelope for hz in LOW_HZ]
    high = [np.sin(2 * np.pi * (hz + detune_hz) * times) * envelope for hz in HIGH_HZ]
    parts = [gap, gap]
    for byte in text.encode():
        parts += [low[byte >> 4] + high[byte & 15], gap]
    return np.concatenate([*parts, gap])


def listen(samples: Samples, sample_rate: int) -> list[Heard]:
    """The characters spoken in `samples`; empty when what sounds is not this speech."""
    bursts = _bursts(samples, sample_rate)
    read = [_read(samples[start:end], sample_rate) for start, end in bursts]
    if not read or np.median([purity for _, purity in read]) < LEAST_PURITY:
        return []
    clear = [
        (byte, start / sample_rate, end / sample_rate, purity)
        for (byte, purity), (start, end) in zip(read, bursts, strict=True)
        if purity >= LEAST_PURITY
    ]
    return _characters(clear)


def is_silent(samples: Samples) -> bool:
    """Whether nothing sounds at all."""
    return samples.size == 0 or float(np.max(np.abs(samples))) < 0.005


def _bursts(samples: Samples, sample_rate: int) -> list[tuple[int, int]]:
    """Where it sounds: (first, last) sample of each stretch louder than a tenth of the loudest."""
    frame = max(1, int(sample_rate * FRAME_SECONDS))
    count = samples.size // frame
    if count == 0:
        return []
    energy = np.sqrt(np.mean(samples[: count * frame].reshape(count, frame) ** 2, axis=1))
    loud = energy > 0.1 * energy.max()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    pairs = edges.reshape(-1, 2) * frame
    least = 0.4 * BURST_SECONDS * sample_rate
    return [(int(start), int(end)) for start, end in pairs if end - start >= least]


def _read(burst: Samples, sample_rate: int) -> tuple[int, float]:
    """The byte of a burst, and the share of its energy in its two tones."""
    windowed = burst * np.hanning(burst.size)
    size = 1 << int(np.ceil(np.log2(sample_rate / 10)))
    spectrum = np.abs(np.fft.rfft(windowed, max(size, burst.size))) ** 2
    hz = np.fft.rfftfreq(max(size, burst.size), 1 / sample_rate)
    nibbles, held = [], 0.0
    for tones in (LOW_HZ, HIGH_HZ):
        band = (hz > tones[0] - 50) & (hz < tones[-1] + 50)
        if not band.any():
            return 0, 0.0
        peak = hz[band][np.argmax(spectrum[band])]
        nibbles.append(int(np.argmin(np.abs(tones - peak))))
        held += float(spectrum[np.abs(hz - peak) < 75].sum())
    return nibbles[0] << 4 | nibbles[1], held / max(float(spectrum.sum()), 1e-12)


def _characters(clear: list[tuple[int, float, float, float]]) -> list[Heard]:
    """Bytes joined to characters; a byte that belongs to none becomes a replacement mark."""
    heard: list[Heard] = []
    at = 0
    while at < len(clear):
        byte = clear[at][0]
        length = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        group = clear[at : at + length]
        text = bytes(b for b, *_ in group).decode(errors="replace")
        purity = min(p for *_, p in group)
        heard.append(Heard(text, group[0][1], group[-1][2], purity))
        at += length
    return heard
