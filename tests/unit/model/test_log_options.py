"""Values of log options: sizes, and formats of times that begin an event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.log_options import BadOption, find_event_start, read_size
from tidegate.model.regex import Regex, RegexRefused

FORMATS = ["%Y-%m-%d", "%H:%M:%S", "%I:%M %p", "%a %A", "%b %B", "%d/%b/%Y:%H:%M:%S %z", "%j", "%y%m%d", "%f", "%w"]


@pytest.mark.parametrize(
    "text, size",
    [("10m", 10 * 1024**2), ("1g", 1024**3), ("512k", 512 * 1024), ("25MB", 25 * 1024**2), ("4096", 4096), ("0", 0)],
)
def test_sizes(text: str, size: int):
    """k, m and g, in either case, with or without a b."""
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5m", "1t", "10 m", "١m"])
def test_what_is_no_size(text: str):
    """Refused."""
    with pytest.raises(BadOption):
        read_size(text)


@given(moment=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), form=st.sampled_from(FORMATS))
def test_a_format_finds_the_times_that_it_describes(moment: datetime, form: str):
    """Every time, written in a format, is found by the expression for it."""
    expression = Regex(find_event_start({"awslogs-datetime-format": form}))
    assert expression.matches(b"[" + moment.replace(tzinfo=UTC).strftime(form).encode() + b"] text")
    assert not expression.matches(b"  at com.example.Main")


def test_what_a_format_has_beside_its_directives():
    """Is a regular expression, as AWS's own example has it; %L is the dot and three digits, %% a percent sign."""
    expression = Regex(find_event_start({"awslogs-datetime-format": r"\[%b %d, %Y %H:%M:%S%L\] 1%%"}))
    assert expression.matches(b"[Mar 01, 2026 12:00:00.123] 1% done")
    assert not expression.matches(b"Mar 01, 2026 12:00:00.123 1%")


@pytest.mark.parametrize("form", ["%Q", "%", "%Y[", "(%Y"])
def test_what_is_no_format(form: str):
    """An unknown directive, and what is no expression, is refused."""
    with pytest.raises(BadOption):
        find_event_start({"awslogs-datetime-format": form})


@pytest.mark.parametrize("pattern", ["(?=x)", r"(a)\1", "[", "x{1001}", "(a{500}b){500}", "\ud800"])
def test_what_go_would_refuse(pattern: str):
    """Look-around, references back and what repeats too much are no expressions here."""
    with pytest.raises(RegexRefused):
        Regex(pattern)


def test_no_option_no_expression():
    """Each line is an event."""
    assert find_event_start({"awslogs-group": "g"}) == ""
