"""What `why` says: every rule told by a situation, every text as it is in the golden file, and no task without one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from situations import SITUATIONS, box, ended, facts, ran, stopped

from tidegate.model.blackbox import BlackBox
from tidegate.model.status import LastStatus, StopCode
from tidegate.services.explain import ends, exits, starting, waiting
from tidegate.services.explain.explain import RULES, explain
from tidegate.services.explain.facts import Explanation, Facts

GOLDEN = Path(__file__).parent / "golden.txt"


def text_of(name: str, told: Explanation) -> str:
    lines = [f"## {name}: {told.rule}{'' if told.is_problem else ' (no problem)'}", told.headline, told.cause]
    lines += [f"  | {line}" for line in told.evidence]
    lines += [f"  > {line}" for line in told.remedies]
    return "\n".join(lines) + "\n"


def test_golden_texts():
    """Every situation is told as the golden file has it; TIDEGATE_GOLDEN=1 writes it anew, to be read."""
    told = "\n".join(text_of(name, explain(make())) for name, make in SITUATIONS.items())
    if os.environ.get("TIDEGATE_GOLDEN"):
        GOLDEN.write_text(told)
    assert told == GOLDEN.read_text()


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_is_told_by_its_own_rule(name: str):
    """The situations are named after the rules; what differs in detail only has the rule's name in front."""
    told = explain(SITUATIONS[name]()).rule
    aliases = {"exited-3": "exited", "exited-152": "exited-by-signal", "disk-full-before-start": "disk-full"}
    assert aliases.get(name, name).startswith(told)


def test_every_rule_has_a_situation():
    """No row of the tables is without a text that somebody has read."""
    rules = {rule.name for rule in RULES} - {"waits", "out-of-memory", "by-code", "any-code", "secrets", "image"}
    told = {explain(make()).rule for make in SITUATIONS.values()}
    assert rules <= told


def test_remedies_name_what_can_be_typed():
    """Commands in the texts are commands that there are."""
    from tidegate.cli.main import COMMANDS

    text = GOLDEN.read_text()
    assert set(re.findall(r"tidegate ([a-z]+)", text)) <= set(COMMANDS)


status_codes = st.sampled_from([*get_args(StopCode), None])


@given(
    st.sampled_from(LastStatus),
    status_codes,
    st.text(max_size=80),
    st.lists(st.integers(0, 255), min_size=1, max_size=3),
    st.booleans(),
)
def test_no_task_is_without_an_explanation(
    status: LastStatus, code: StopCode | None, reason: str, codes: list[int], has_box: bool
):
    """Whatever a task has gone through, something is said, and nothing raises."""
    statuses = [ended(number, f"c{position}", reason=reason) for position, number in enumerate(codes)]
    found = facts(*statuses, last_status=status, stop_code=code, stopped_reason=reason)
    told = explain(found if has_box else Facts(found.task, found.definition, None, found.now))
    assert told.headline
    assert told.cause


def test_what_a_container_says_is_not_taken_for_what_is_said_of_it():
    """Words in the output don't choose the rule: only a failed container's lines can tell of a full disk."""
    quiet = stopped(ended(0), boxes=(box("web", "no space left on device", "CannotPullContainerError"),))
    assert explain(quiet).rule == "exited-0"


def test_the_first_to_end_is_the_culprit():
    """Of two containers that ended with errors, the one that ended first is explained."""
    found = stopped(ended(143, "late", finished_at=99.0), ended(3, "early", finished_at=9.0))
    assert explain(found).headline == "early ended with code 3."


def test_without_a_black_box():
    """A task of which nothing is kept is still explained."""
    found = stopped(ended(137, reason="OutOfMemoryError: Container killed due to memory usage"))
    bare = Facts(found.task, found.definition, None, found.now)
    assert explain(bare).rule == "out-of-memory-task"
    assert isinstance(found.box, BlackBox)
    assert ran().state == "RUNNING"


def test_the_tables_are_the_rules():
    """Each table is looked through, in this order."""
    assert (*waiting.RULES, *starting.RULES, *exits.RULES, *ends.RULES) == RULES


def test_missing_output_is_told_beside_any_cause():
    """Whatever ended the task: lines that its log lacks are said to be missing, and how many are known to be."""
    told = explain(stopped(ended(3, dropped_lines=1234, is_output_cut=True)))
    assert told.rule == "exited"
    assert "1234 are missing in its log" in told.evidence[-2]
    assert "while the server was down" in told.evidence[-1]
    assert not any("missing" in line for line in explain(stopped(ended(3))).evidence)
