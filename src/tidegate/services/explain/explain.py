"""Looks the rules through, and tells the first that applies."""

from __future__ import annotations

from tidegate.services.explain import ends, exits, starting, waiting
from tidegate.services.explain.facts import Explanation, Facts, Rule

RULES: tuple[Rule, ...] = (*waiting.RULES, *starting.RULES, *exits.RULES, *ends.RULES)


def explain(facts: Facts) -> Explanation:
    """What happened to a task, or what it waits for, and what to do about it."""
    for rule in RULES:
        if rule.applies(facts):
            found = rule.explain(facts)
            if found is not None:
                return found
    raise AssertionError("the last rule applies to every task")
