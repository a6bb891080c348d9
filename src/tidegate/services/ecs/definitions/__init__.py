"""
Task definitions: what may be registered, how it is stored, and how it is found again.

`operations` holds the API's operations; `acceptance` is the way of one registration through the rules, which are pure
and live in a module for each subject; `unsupported` is the one list of what Tidegate can't honour yet.
"""

from tidegate.services.ecs.definitions.lookup import resolve
from tidegate.services.ecs.definitions.operations import TaskDefinitions

__all__ = ["TaskDefinitions", "resolve"]
