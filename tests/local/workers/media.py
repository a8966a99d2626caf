"""Opening what workers made, with the standard library: every pixel row, every sample."""

import base64
import io
import math
import random
import struct
import wave
import zlib
from array import array
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    width: int
    height: int
    rows: bytes


@dataclass(frozen=True)
class Sound:
    rate: int
    seconds: float
    loudest: int


def open_png(content: bytes) -> Picture:
    """An 8-bit RGB PNG; checksums and the length of the pixel data must be right."""
    assert content.startswith(SIGNATURE)
    at, data, header = len(SIGNATURE), b"", b""
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, at + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        header = body if kind == b"IHDR" else header
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colours = struct.unpack_from(">IIBB", header)
    assert (depth, colours) == (8, 2)
    rows = zlib.decompress(data)
    assert len(rows) == height * (1 + 3 * width)
    return Picture(width, height, rows)


def open_data_uri(uri: str) -> Picture:
    return open_png(base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True))


def open_wav(content: bytes) -> Sound:
    with wave.open(io.BytesIO(content), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = array("h", file.readframes(file.getnframes()))
        rate = file.getframerate()
    return Sound(rate, len(samples) / rate, max(map(abs, samples), default=0))


def make_wav(kind: str, *, seconds: float, rate: int = 16_000) -> bytes:
    """A stereo WAV of noise, of a chord, or of silence."""
    rng = random.Random(3)
    samples = array("h")
    for number in range(int(seconds * rate)):
        time = number / rate
        value = {
            "noise": rng.uniform(-1, 1),
            "chord": sum(math.sin(2 * math.pi * hz * time) for hz in (220, 277, 330, 440)) / 4,
            "silence": 0.0,
        }[kind]
        samples.extend([int(value * 12_000)] * 2)
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return target.getvalue()
