"""Filter patterns, example by example; most are the user guide's."""

from __future__ import annotations

import json

import pytest

from tidegate.services.logs.patterns.pattern import read_pattern
from tidegate.services.logs.patterns.reader import InvalidPattern

EVENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "OtherFlag": False,
        "user": {"id": 1, "email": "John.Stiles@example.com"},
        "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"],
        "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
        "latency": 1500.5,
        "small": 0.01,
        "account": "123456789012",
        "with-dash": "x",
        "quote": 'say "hi"',
    }
)
ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


def matches(pattern: str, message: str) -> bool:
    return read_pattern(pattern).matches(message)


@pytest.mark.parametrize(
    "condition, is_match",
    [
        ('$.eventType = "UpdateTrail"', True),
        ("$.eventType = UpdateTrail", True),
        ("$.eventType = Update*", True),
        ("$.eventType = *Trail", True),
        ("$.eventType = *dateT*", True),
        ('$.eventType = "*"', True),
        ("$.eventType = Up*Trail", False),
        ("$.eventType = updatetrail", False),
        ("$.eventType != UpdateTrail", False),
        ("$.sourceIPAddress != 123.123.*", True),
        ("$.sourceIPAddress = 111.111.*", True),
        ('$.arrayKey[0] = "value"', True),
        ('$.arrayKey[1] = "another value"', True),
        ('$.arrayKey[2] = "value"', False),
        ("$.arrayKey[2] NOT EXISTS", True),
        ("$.objectList[1].id = 2", True),
        ("$.objectList[1].id != 2", False),
        ("$.eventType[0] = U", False),
        ("$.SomeObject IS NULL", True),
        ("$.SomeObject NOT EXISTS", False),
        ("$.SomeOtherObject NOT EXISTS", True),
        ("$.SomeOtherObject IS NULL", False),
        ("$.user.id.deeper NOT EXISTS", True),
        ("$.ThisFlag IS TRUE", True),
        ("$.ThisFlag IS FALSE", False),
        ("$.OtherFlag IS  FALSE", True),
        ("$.eventType IS TRUE", False),
        ("$.latency >= 500", True),
        ("$.latency > +1500", True),
        ("$.latency < 1.5e3", False),
        ("$.latency <= 1500.5", True),
        ("$.latency = 1500.5", True),
        ("$.latency = *", True),
        ("$.small < 10e-3", False),
        ("$.small <= 10e-3", True),
        ("$.small > -1", True),
        ("$.coordinates[0][1] = 1", True),
        ("$.coordinates[2][2] = 9", True),
        ("$.account = 123456789012", True),
        ("$.eventType > 1", False),
        ("$.eventType != 1", True),
        ("$.users = 1", False),
        ("$.users != 1", False),
        ("$.missing != 1", False),
        ("$.ThisFlag = 1", False),
        ("$.SomeObject = null", False),
        ("$.with-dash = x", True),
        ('$.quote = "say \\"hi\\""', True),
        ("$.eventType = %Tr[a-z]{2}l$%", True),
        ("$.eventType = %^Trail%", False),
        ("$.eventType != %^Trail%", True),
        ('($.user.id = 1) && ($.users[0].email = "John.Doe@example.com")', True),
        ('($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET"', False),
        ('$.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch', True),
        (
            '($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch',
            False,
        ),
    ],
)
def test_conditions_on_json(condition: str, is_match: bool):
    """Selectors, texts with wildcards, numbers, claims and their combination, as the user guide has them."""
    assert matches(f"{{ {condition} }}", EVENT) is is_match
    assert matches(f"{{{condition}}}", EVENT) is is_match


@pytest.mark.parametrize(
    "message", ["", "plain", "{", '{"a": 1} and more', "null", '"a"', "[" * 100_000, '{"a": 1e999}']
)
def test_what_is_no_json_document_matches_no_condition_on_one(message: str):
    """Not even one on what is missing."""
    assert not matches("{ $.b NOT EXISTS }", message)


@pytest.mark.parametrize(
    "pattern, is_match",
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[ip, user, username, timestamp, request, status_code, bytes, more]", False),
        ("[..., status_code, bytes]", True),
        ("[ip, user, ..., status_code, bytes]", True),
        ("[ip, user, ...]", True),
        ("[...]", True),
        ("[a, b, c, d, e, f, g, ...]", True),
        ("[a, b, c, d, ..., e, f, g, h]", False),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", True),
        ("[ip, user, username, timestamp, request, status_code, bytes > 2e3]", False),
        ("[ip, user, username, timestamp, request, status_code = 404, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", True),
        ('[ip, user, username, timestamp, request = "GET *", status_code = 4*, bytes]', True),
        ("[..., request=*.html*, status_code=4*,]", True),
        ("[..., status_code = 403 || status_code = 404, bytes]", True),
        ("[..., (status_code = 403 || status_code = 404) && status_code != 404, bytes]", False),
        ("[..., status_code != 4*, bytes]", False),
        ("[ip = %127\\.0\\.0\\.[1-9]%, ...]", True),
        ('[..., timestamp = "10/Oct*", request, status, bytes]', True),
        ("[..., bytes < abc]", None),
        ("[a, ..., b, ..., c]", None),
        ("[a = 1 && b = 2]", None),
        ("[a b]", None),
        ("[a, b = ]", None),
    ],
)
def test_conditions_on_fields(pattern: str, is_match: bool | None):
    """Fields in order, a gap, and conditions on them; None: no pattern at all."""
    if is_match is None:
        with pytest.raises(InvalidPattern):
            read_pattern(pattern)
    else:
        assert matches(pattern, ACCESS) is is_match


def test_words_by_position():
    """The user guide's three lines."""
    lines = ["ERROR WARN message", "ERROR message", "WARN message"]
    assert [matches("[w1=ERROR, w2]", line) for line in lines] == [False, True, False]
    assert [matches("[w1=ERROR || w1=WARN, w2]", line) for line in lines] == [False, True, True]
    assert [matches("[w1!=ERROR&&w1!=WARN, w2]", line) for line in lines] == [False, False, False]
    assert [matches("?ERROR ?WARN", line) for line in lines] == [True, True, True]
    assert [matches("ERROR -WARN", line) for line in lines] == [False, True, False]


def test_fields_by_name():
    """`$name`, or the place of a field that has none; the guide's example."""
    assert read_pattern("[..., request=*.html*, status_code=4*,]").extract(ACCESS) == {
        "$1": "127.0.0.1",
        "$2": "-",
        "$3": "frank",
        "$4": "10/Oct/2000:13:25:15 -0700",
        "$request": "GET /index.html HTTP/1.0",
        "$status_code": "404",
        "$7": "1534",
    }


@pytest.mark.parametrize(
    "pattern, is_match",
    [
        ('"ERROR" - "Exiting"', False),
        ("ERROR", True),
        ("?INFO ?DEBUG ERROR", True),
        ("?ERROR ?DEBUG Missing", False),
        ("%ERR(OR)%", None),
        ("%[0-9]{3}%", False),
        ("%E+R{2}OR[A-Z]*: -\\d$%", True),
        ("%caf\u00e9%", None),
        ("%a!b%", None),
        ("%[%", None),
        ("%%", None),
        ("%", None),
        ("%a{1001}%", None),
        ("%" + "a{999}" * 100 + "%", None),
        ("%\\bERROR%", None),
        ("%\\x45RROR%", True),
        ("ERROR-CODE", None),
        ('"ERROR"CODE', None),
        ("-", None),
        ("", True),
    ],
)
def test_terms_and_regular_expressions(pattern: str, is_match: bool | None):
    """Terms beside which ? has no effect, and CloudWatch's subset of regular expressions; None: no pattern."""
    if is_match is None:
        with pytest.raises(InvalidPattern):
            read_pattern(pattern)
    else:
        assert matches(pattern, "Exiting with ERRORCODE: -1") is is_match


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = %a% && $.b = %b% && $.c = %c% }",
        "[a=%a%, b=%b%, c=%c%]",
        "{ " + "(" * 60 + "$.a = 1" + ")" * 60 + " }",
        "{ $.a = " + "1" * 500 + " }",
        "{ }",
        "{ $.a }",
        "{ $.a = }",
        "{ $.a < x }",
        "{ $.a = 1 && }",
        "{ $a = 1 }",
        "{ $.[0] = 1 }",
        "{ $.a = 1 } x }",
    ],
)
def test_what_is_refused(pattern: str):
    """More than two regular expressions, what nests or counts without sense, and what is cut short."""
    with pytest.raises(InvalidPattern):
        read_pattern(pattern)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "pattern, message",
    [
        ("[a, b]", "[ " * 130_000),
        ("[a, b]", '" [' * 90_000),
        ("%a*a*a*a*a*a*b%", "a" * 262_000),
        ("{ $.a = 1 }", "{" * 262_000),
        ("{ $.a = 1 }", " " * 262_000 + "{"),
        ("{ $.a = *x* }", json.dumps({"a": "y" * 262_000})),
    ],
)
def test_hostile_messages_take_linear_time(pattern: str, message: str):
    """A message of the greatest size is done in a moment, whatever it holds."""
    assert not matches(pattern, message)
