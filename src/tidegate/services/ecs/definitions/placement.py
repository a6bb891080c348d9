"""
Rules for the placement constraints of a task definition, which bind on container instances alone.

Source: API reference, TaskDefinitionPlacementConstraint.
"""

from __future__ import annotations

from tidegate.api import ecs

MAX_CONSTRAINTS = 10
MAX_EXPRESSION = 2000


def check_constraints(definition: ecs.TaskDefinition) -> None:
    """Refuse too many, and what is no `memberOf` with an expression. Raises ClientException."""
    constraints = definition.placement_constraints or ()
    if len(constraints) > MAX_CONSTRAINTS:
        raise ecs.ClientException(f"A task definition can have at most {MAX_CONSTRAINTS} placement constraints.")
    for constraint in constraints:
        if constraint.type is None:
            raise ecs.ClientException("A placement constraint needs a type: memberOf.")
        if not constraint.expression or len(constraint.expression) > MAX_EXPRESSION:
            raise ecs.ClientException(
                f"A placement constraint of the type memberOf needs an expression of up to {MAX_EXPRESSION} characters."
            )
