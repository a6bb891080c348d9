"""The papers tell the truth: what they link to is there, and they hold nothing of anybody's machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from style.sources import CHECKOUT, name_of, tracked, tree_of

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#[^)]*)?\)")
TEST_LINK = re.compile(r"\[(?P<test>test_\w+)\]\((?P<path>[^)]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root/|home/\w+/|work/|opt/(?:pypi|wheels))[\w.]*")
LOCK = re.compile(r"--(?:index-url|extra-index-url|find-links|trusted-host)|https?://|file:")
MOST_LINES_OF_A_DECISION = 60


def _papers() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def test_every_link_in_the_papers_leads_somewhere() -> None:
    """Relative links name files of the repository."""
    broken = [
        f"{name_of(paper)}: {target}"
        for paper in _papers()
        for target in LINK.findall(paper.read_text())
        if target and not (paper.parent / target).exists()
    ]
    assert broken == []


def test_every_promise_names_a_test_that_is_there() -> None:
    """Each row of SPECIFICATION.md links at least one test, and each linked test is defined in the linked file."""
    text = (CHECKOUT / "SPECIFICATION.md").read_text()
    rows = [line for line in text.splitlines() if re.match(r"\| [A-Z]+-\d+ ", line)]
    assert rows
    assert [row for row in rows if not TEST_LINK.search(row)] == []
    missing = [
        f"{match['path']}: {match['test']}"
        for match in TEST_LINK.finditer(text)
        if match["test"] not in _tests_in(CHECKOUT / match["path"])
    ]
    assert missing == []


def test_no_promise_has_the_number_of_another() -> None:
    """A promise can be cited by its number."""
    numbers = re.findall(r"^\| ([A-Z]+-\d+) ", (CHECKOUT / "SPECIFICATION.md").read_text(), re.MULTILINE)
    assert len(numbers) == len(set(numbers))


def _tests_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    return {
        node.name
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_decisions_are_short_and_numbered_once() -> None:
    """An ADR fits on a page, says its state, and its number is its own."""
    decisions = sorted((CHECKOUT / "docs" / "adr").glob("[0-9]*.md"))
    assert decisions
    numbers = [path.name[:4] for path in decisions]
    assert len(numbers) == len(set(numbers))
    texts = {path.name: path.read_text() for path in decisions}
    assert [name for name, text in texts.items() if len(text.splitlines()) > MOST_LINES_OF_A_DECISION] == []
    assert [name for name, text in texts.items() if "Status:" not in text] == []


def _texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            yield name_of(path), content.decode("utf-8", "replace")


def test_no_file_mentions_somebodys_machine() -> None:
    """No path of a home directory or of a build machine is in the repository."""
    found = [
        f"{name}: {match.group()}"
        for name, text in _texts()
        if name != name_of(Path(__file__))
        for match in MACHINE_PATH.finditer(text)
    ]
    assert found == []


def test_the_locks_name_no_index() -> None:
    """Which index to install from is the installing machine's affair; what to install is told by hashes."""
    locks = sorted(CHECKOUT.glob("requirements*.lock"))
    assert [path.name for path in locks if LOCK.search(path.read_text())] == []
    assert len(locks) == 3
    for path in locks:
        pinned = len(re.findall(r"^[a-z0-9].*==", path.read_text(), re.MULTILINE))
        hashed = len(re.findall(r"^[a-z0-9].*==.*\\\n    --hash=sha256:[0-9a-f]{64}", path.read_text(), re.MULTILINE))
        assert pinned == hashed > 0
