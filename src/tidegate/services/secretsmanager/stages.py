"""
Staging labels: which version each is on, and how they move.

Pure. Each label is on one version. When AWSCURRENT moves, AWSPREVIOUS goes to the version that it left. Source: User
Guide, "Secret versions"; API reference, PutSecretValue and UpdateSecretVersionStage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
MAX_STAGES = 20

Stages = Mapping[str, str]
"""Version id by label."""


def plan_attach(stages: Stages, version: str, labels: Iterable[str]) -> dict[str, str]:
    """`labels` on `version`, from wherever they were."""
    asked = dict.fromkeys(labels)
    moved = {**stages, **dict.fromkeys(asked, version)}
    before = stages.get(CURRENT)
    if CURRENT in asked and before not in (None, version) and PREVIOUS not in asked:
        moved[PREVIOUS] = str(before)
    return moved


def plan_detach(stages: Stages, label: str) -> dict[str, str]:
    """Without the label."""
    return {name: version for name, version in stages.items() if name != label}


def labels_on(stages: Stages, version: str) -> tuple[str, ...]:
    """The labels of a version, in the order of the alphabet."""
    return tuple(sorted(label for label, on in stages.items() if on == version))


def labels_by_version(stages: Stages) -> dict[str, tuple[str, ...]]:
    """Versions that have labels, with them."""
    return {version: labels_on(stages, version) for version in dict.fromkeys(stages.values())}
