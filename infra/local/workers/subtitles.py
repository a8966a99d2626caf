"""The four text formats of worker-faster_whisper (runpod.md 5.2)."""

from typing import Any

JSON = dict[str, Any]


def render(form: str, segments: list[JSON]) -> str:
    """The segments as plain_text, formatted_text, srt or vtt; an unknown form is plain text."""
    match form:
        case "formatted_text":
            return "\n".join(segment["text"].lstrip() for segment in segments)
        case "srt":
            return "".join(
                f"{number}\n{_span(segment, ',')}\n{segment['text'].lstrip()}\n\n"
                for number, segment in enumerate(segments, 1)
            )
        case "vtt":
            return "".join(
                f"{_span(segment, '.')}\n{segment['text'].lstrip()}\n\n" for segment in segments
            )
        case _:
            return " ".join(segment["text"].lstrip() for segment in segments)


def _span(segment: JSON, mark: str) -> str:
    return f"{_clock(segment['start'], mark)} --> {_clock(segment['end'], mark)}"


def _clock(seconds: float, mark: str) -> str:
    whole, ms = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{mark}{ms:03d}"
