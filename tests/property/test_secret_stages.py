"""Staging labels of a secret: whatever is done to them, each is on one version and AWSCURRENT on some."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fakes.parameters import SecretServices
from fakes.services import run_async
from tidegate.services.secretsmanager.stages import CURRENT, PREVIOUS, labels_by_version, plan_attach

VERSIONS = st.sampled_from(["v1", "v2", "v3", "v4"])
LABELS = st.lists(st.sampled_from([CURRENT, PREVIOUS, "AWSPENDING", "mine"]), min_size=1, max_size=3)


@given(st.lists(st.tuples(VERSIONS, LABELS), max_size=12))
def test_labels(moves: list[tuple[str, list[str]]]) -> None:
    """What was attached last is where it was attached; AWSPREVIOUS follows AWSCURRENT unless it was named itself."""
    stages: dict[str, str] = {}
    for version, labels in moves:
        before = stages
        stages = plan_attach(stages, version, labels)
        assert all(stages[label] == version for label in labels)
        assert set(before) <= set(stages)
        untouched = set(before) - set(labels) - {PREVIOUS}
        assert all(stages[label] == before[label] for label in untouched)
        left = before.get(CURRENT)
        if CURRENT in labels and PREVIOUS not in labels and left not in (None, version):
            assert stages[PREVIOUS] == left
        shown = labels_by_version(stages)
        assert sorted(label for on in shown.values() for label in on) == sorted(stages)


ACTION = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 5), st.sampled_from([None, "AWSPENDING", "mine"])),
    st.tuples(st.just("promote"), st.integers(0, 5), st.none()),
    st.tuples(st.just("update"), st.integers(0, 5), st.none()),
)


@given(st.lists(ACTION, max_size=10))
def test_the_current_value(actions: list[tuple[str, int, str | None]]) -> None:
    """GetSecretValue gives what was made current last; AWSPREVIOUS what was current before that."""

    async def play() -> None:
        bench = SecretServices()
        first = (await bench.create("s", "start"))["VersionId"]
        values, current, previous = {first: "start"}, first, None
        for kind, number, stage in actions:
            before = current
            match kind:
                case "put":
                    stages = [stage] if stage else None
                    answer = await bench.secrets(
                        "PutSecretValue", SecretId="s", SecretString=str(number), VersionStages=stages
                    )
                    values[answer["VersionId"]] = str(number)
                    current = current if stage else answer["VersionId"]
                case "update":
                    answer = await bench.secrets("UpdateSecret", SecretId="s", SecretString=str(number))
                    current = answer["VersionId"]
                    values[current] = str(number)
                case _:
                    current = list(values)[number % len(values)]
                    await bench.secrets(
                        "UpdateSecretVersionStage",
                        SecretId="s",
                        VersionStage=CURRENT,
                        MoveToVersionId=current,
                        RemoveFromVersionId=before,
                    )
            previous = before if current != before else previous
            assert await bench.value() == values[current]
            if previous is not None:
                assert await bench.value(VersionStage=PREVIOUS) == values[previous]

    run_async(play)
