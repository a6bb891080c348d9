"""Any calls in any order: never a fault of the server's, a hang, or a record that is half written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from conformance.fuzzing import CALLS, Call, Fuzz, open_fuzz, run
from conformance.references import check_references
from fakes.served import check_records
from tidegate.model.task import Cluster, Task
from tidegate.store.store import Delete, Put

SEQUENCES = 150
"""In a run of all tests; `python -m conformance.fuzzing` makes as many as one likes."""


@pytest.fixture
def fuzz(tmp_path: Path) -> Iterator[Fuzz]:
    found = open_fuzz(tmp_path)
    yield found
    found.runner.close()


def test_no_call_is_answered_with_a_fault_or_leaves_half_a_record(fuzz: Fuzz) -> None:
    """
    Of any service and operation, whatever its members are.

    A call that is refused writes nothing; after one that is taken every record can be read again, is found by its
    key and its indexes, and names only what is there. The same calls in every run, so that a failure can be repeated.
    """
    run(fuzz, SEQUENCES, is_deterministic=True)
    assert fuzz.answers["calls"] >= SEQUENCES * CALLS
    assert min(fuzz.answers["taken"], fuzz.answers["refused"]) > fuzz.answers["calls"] // 10


def test_a_fault_is_noticed(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that fails, or writes and then refuses."""
    call = Call("ecs", "ListClusters", b"{}")
    fuzz.play([call])
    monkeypatch.setattr("tidegate.services.ecs.clusters.list_page", lambda *_, **__: 1 / 0)
    with pytest.raises(AssertionError, match="internal error"):
        fuzz.play([call])


def test_a_broken_reference_is_noticed(fuzz: Fuzz) -> None:
    """A task whose cluster is gone; an index that does not know its record."""
    store = fuzz.world.served.store
    cluster = store.get(Cluster, "default")
    assert cluster is not None
    fuzz.runner.run(store.commit(Delete(cluster)))
    with pytest.raises(AssertionError):
        check_references(fuzz.world.served)
    fuzz.restore()
    task = store.get(Task, fuzz.world.task)
    assert task is not None
    store._ledger._tables["task"]._by_name["cluster"].clear()
    with pytest.raises(AssertionError):
        check_records(fuzz.world.served)
    fuzz.restore()
    fuzz.runner.run(store.commit(Put(msgspec.structs.replace(task, definition="nobody:1"))))
    with pytest.raises(AssertionError):
        check_references(fuzz.world.served)
