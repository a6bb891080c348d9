"""Looks the rules through, and tells the first that applies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tidegate.services.explain import ends, exits, starting, waiting
from tidegate.services.explain.facts import Explanation, Facts, Rule

RULES: tuple[Rule, ...] = (*waiting.RULES, *starting.RULES, *exits.RULES, *ends.RULES)


def explain(facts: Facts) -> Explanation:
    """What happened to a task, or what it waits for, and what to do about it."""
    for rule in RULES:
        if rule.applies(facts):
            found = rule.explain(facts)
            if found is not None:
                return replace(found, evidence=(*found.evidence, *_lost_output(facts)))
    raise AssertionError("the last rule applies to every task")


def _lost_output(facts: Facts) -> Iterator[str]:
    """What is missing in the logs, whatever happened to the task: known once a container has ended."""
    for container in facts.containers:
        if container.status.dropped_lines:
            yield (
                f"{container.name} wrote faster than its lines could be stored: {container.status.dropped_lines} are "
                "missing in its log (`mode: blocking` would have made it wait)"
            )
        if container.status.is_output_cut:
            yield f"more lines of {container.name} are missing: they came while the server was down, or far too fast"
