"""Which text people may enter, in any language."""

import pytest
from pydantic import TypeAdapter, ValidationError

from common.text import EmailAddress, HttpsUrl, Line, PersonName

LINE: TypeAdapter[str] = TypeAdapter(Line)
NAME: TypeAdapter[str] = TypeAdapter(PersonName)


@pytest.mark.parametrize(
    "text",
    [
        "José Ñandú",
        "王小明",
        "Ødegård-O'Brien Jr.",
        "עדה לאבלייס",
        "👩\u200d💻 Ada",
        "می\u200cخواهم",
        "a",
        "",
        "½",
    ],
)
def test_lines_of_any_language_are_taken(text: str) -> None:
    assert LINE.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\x00b",
        "bell\x07",
        "\x85",
        "a\u2028b",
        "abc\u202egnp.exe",
        "\u2066hidden\u2069",
        "\u200b",
        "\u200b\u200d",
        "\u00a0",
        "\u3000 ",
    ],
)
def test_lines_that_hide_or_turn_what_they_say_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        LINE.validate_python(text)


@pytest.mark.parametrize("name", ["\u200b\u200b", "x", "x" * 101, "two\nlines"])
def test_a_name_must_be_one(name: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(name)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/", "https://", "https:///x", "javascript:alert(1)", "https://u:p@a.example/",
        "https://a.example/ x", "https://a.example/\n", "https://[::1", "//a.example/", "a.example",
    ],
)  # fmt: skip
def test_w52_an_address_that_is_no_plain_https_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(HttpsUrl).validate_python(url)


@pytest.mark.parametrize(
    "address", ["a@b", "@b.de", "a b@c.de", "a@b@c.de", "a@b.de\n", "x" * 251 + "@b.de"]
)
def test_an_address_that_is_no_mail_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(EmailAddress).validate_python(address)
