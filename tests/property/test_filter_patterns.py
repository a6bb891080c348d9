"""Filter patterns against what they mean, written down in the plainest way."""

from __future__ import annotations

import json
import operator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidegate.services.logs.patterns.fields import split_fields
from tidegate.services.logs.patterns.pattern import read_pattern
from tidegate.services.logs.patterns.reader import InvalidPattern

COMPARES: dict[str, Any] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
SCRAPS = st.sampled_from(
    [*'{}[]()%"\\$.,=!<>&|?-*+^ 1aé…', "$.a", "&&", "||", "...", " IS NULL", " NOT EXISTS", "1e3", "%x%", '"t"']
)
WORDS = st.text("abAB_1", min_size=1, max_size=4)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5, width=16) | st.text("ab*", max_size=3)
DOCUMENTS = st.dictionaries(
    st.sampled_from("abc"), st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2), max_leaves=4), max_size=3
)


@given(pattern=st.text() | st.lists(SCRAPS).map("".join), message=st.text() | DOCUMENTS.map(json.dumps))
def test_any_text_is_a_pattern_or_refused(pattern: str, message: str):
    """Whatever the text, reading it gives a pattern or InvalidPattern, and a pattern takes any message."""
    try:
        read = read_pattern(pattern)
    except InvalidPattern:
        return
    if read.matches(message):
        assert all(name.startswith("$") for name in read.extract(message))


@given(
    terms=st.lists(st.tuples(st.sampled_from(["", "-", "?"]), st.booleans(), WORDS), max_size=4),
    words=st.lists(WORDS, max_size=6),
)
def test_terms_mean_what_they_say(terms: list[tuple[str, bool, str]], words: list[str]):
    """Every plain term is in the message, no excluded one is, and of optional ones alone one is."""
    pattern = " ".join(f'{sign}"{term}"' if is_quoted else f"{sign}{term}" for sign, is_quoted, term in terms)
    message = " ".join(words)
    plain = [term in message for sign, _, term in terms if sign == ""]
    excluded = [term in message for sign, _, term in terms if sign == "-"]
    optional = [term in message for sign, _, term in terms if sign == "?"]
    expected = all(plain) and not any(excluded)
    if optional and not plain and not excluded:
        expected = any(optional)
    assert read_pattern(pattern).matches(message) is expected


@st.composite
def conditions(draw: st.DrawFn, depth: int = 0) -> tuple[str, Any]:
    """The text of a condition on JSON, and what it means as a function of the document."""
    if depth < 3 and draw(st.booleans()):
        sign = draw(st.sampled_from(["&&", "||"]))
        texts, functions = zip(*[draw(conditions(depth + 1)) for _ in range(2)], strict=True)
        combine = all if sign == "&&" else any
        return f"({texts[0]} {sign} {texts[1]})", lambda document: combine([f(document) for f in functions])
    name, index = draw(st.sampled_from("abc")), draw(st.none() | st.integers(0, 2))
    selector = f"$.{name}" if index is None else f"$.{name}[{index}]"
    claim, of = draw(claims())
    return f"{selector} {claim}", lambda document: of(_select(document, name, index))


MISSING = object()


def _select(document: Any, name: str, index: int | None) -> Any:
    value = document.get(name, MISSING)
    if index is None:
        return value
    return value[index] if isinstance(value, list) and index < len(value) else MISSING


@st.composite
def claims(draw: st.DrawFn) -> tuple[str, Any]:
    words = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False, "NOT EXISTS": MISSING}
    kind = draw(st.sampled_from([*words, "number", "text"]))
    if kind in words:
        return kind, lambda value: value is words[kind]
    if kind == "number":
        sign, number = draw(st.sampled_from(list(COMPARES))), draw(st.integers(-5, 5) | st.floats(-5, 5, width=16))
        return f"{sign} {number!r}", lambda value: _is_number(value, sign, number)
    sign, text = draw(st.sampled_from(["=", "!="])), draw(st.text("ab", max_size=3))
    return f'{sign} "{text}"', lambda value: _is_value(value) and (str(value) == text) is (sign == "=")


def _is_value(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_number(value: Any, sign: str, number: float) -> bool:
    if isinstance(value, str):
        return sign == "!="  # these texts are no numbers
    return _is_value(value) and COMPARES[sign](value, number)


@given(condition=conditions(), document=DOCUMENTS)
def test_conditions_on_json_mean_what_they_say(condition: tuple[str, Any], document: dict[str, Any]):
    """A random condition holds exactly for the documents for which its meaning, evaluated directly, does."""
    text, means = condition
    assert read_pattern(f"{{ {text} }}").matches(json.dumps(document)) is means(document)


@given(before=st.integers(0, 3), behind=st.integers(0, 3), has_gap=st.booleans(), words=st.lists(WORDS, max_size=8))
def test_fields_are_counted(before: int, behind: int, has_gap: bool, words: list[str]):
    """Without a gap the number of fields must be that of the names; with one it may be more."""
    names = [*["f"] * before, *(["..."] if has_gap else []), *["f"] * behind]
    pattern, least = f"[{', '.join(names)}]", max(before + behind, 0 if has_gap else 1)
    is_match = read_pattern(pattern).matches(" ".join(words))
    assert is_match is (len(words) >= least if has_gap else len(words) == least)


@given(fields=st.lists(st.tuples(st.sampled_from(["{}", "[{}]", '"{}"']), st.text("ab1=/", min_size=1)), max_size=6))
def test_fields_are_taken_apart(fields: list[tuple[str, str]]):
    """Brackets and quotes make one field of what they enclose, white space included."""
    spaced = [(form, text if form == "{}" else f"{text} x") for form, text in fields]
    assert split_fields("  ".join(form.format(text) for form, text in spaced)) == [text for _, text in spaced]
