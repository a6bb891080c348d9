"""Failpoints do what their file says, in its order, across crashes; and nothing where nobody armed them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tidegate.kernel import failpoint
from tidegate.kernel.failpoint import Term, find_term, parse

pytestmark = pytest.mark.anyio


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "points"
    path.touch()
    failpoint.arm(path)
    yield path
    failpoint.arm(None)


def write(file: Path, text: str) -> None:
    """As a new file, so that it is never taken for the one before."""
    aside = file.with_suffix(".new")
    aside.write_text(text)
    aside.rename(file)


def outcomes(name: str, times: int) -> list[str]:
    """What so many hits come to: `` or the error's text."""
    found = []
    for _ in range(times):
        try:
            failpoint.hit(name)
            found.append("")
        except OSError as error:
            found.append(str(error))
    return found


def test_off_by_default(tmp_path: Path):
    """Nobody armed it: nothing happens, whatever files there are."""
    failpoint.arm(None)
    assert outcomes("a.b", 3) == ["", "", ""]


def test_a_chain(file: Path):
    """Each term lasts for its count, the last one for ever; others' names are left alone."""
    write(file, "a.b = 1*off->2*error(no room)->1*off->error(again)\n")

    assert outcomes("a.b", 6) == ["", "no room", "no room", "", "again", "again"]
    assert outcomes("a.c", 2) == ["", ""]


def test_a_chain_that_is_used_up(file: Path):
    """Behind the last count a failpoint is off."""
    write(file, "a.b=1*error(x)")

    assert outcomes("a.b", 3) == ["x", "", ""]


def test_a_new_file_begins_anew(file: Path):
    """The file is read again when it has changed, and counting starts over."""
    write(file, "a.b=1*error(one)")
    assert outcomes("a.b", 2) == ["one", ""]
    write(file, "a.b=1*error(two)")
    assert outcomes("a.b", 2) == ["two", ""]
    file.unlink()
    assert outcomes("a.b", 1) == [""]


async def test_the_error_is_the_steps_own(file: Path):
    """A step fails with the kind of error that it would raise."""
    write(file, "a.b = error(gone)")
    with pytest.raises(LookupError, match="gone"):
        failpoint.hit("a.b", LookupError)
    with pytest.raises(LookupError, match="gone"):
        await failpoint.reach("a.b", LookupError)


async def test_delays(file: Path):
    """A step that may take time lets others go on meanwhile; one that may not, takes it."""
    write(file, "a.b = delay(2000)\nc.d = delay(30)")
    before = anyio.current_time()
    await failpoint.reach("a.b")
    assert anyio.current_time() - before == pytest.approx(2, abs=0.1)
    began = time.monotonic()
    failpoint.hit("c.d")
    assert time.monotonic() - began >= 0.03


CRASHER = """
import sys
from pathlib import Path
from tidegate.kernel import failpoint
failpoint.arm_by_environment()
for _ in range(3):
    failpoint.hit("a.b")
    print("done", flush=True)
"""


def test_a_crash_is_at_its_place_and_happens_once(tmp_path: Path):
    """kill -9 right before the step; the next process goes on in the chain where that one was."""
    file = tmp_path / "points"
    write(file, "a.b = 1*off->1*crash->off")
    environment = {**os.environ, failpoint.VARIABLE: str(file)}
    ends = [
        subprocess.run([sys.executable, "-c", CRASHER], env=environment, capture_output=True, text=True, check=False)
        for _ in range(2)
    ]

    assert [(end.returncode, end.stdout.count("done")) for end in ends] == [(-signal.SIGKILL, 1), (0, 3)]
    assert Path(f"{file}.hits").read_text().count(" a.b\n") == 5


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "a = off",
        "A.b = off",
        "a.b =",
        "a.b = error",
        "a.b = explode",
        "a.b = delay(x)",
        "a.b = off(1)",
        "a.b=x*off",
    ],
)
def test_malformed(text: str):
    """A line that says nothing is refused."""
    with pytest.raises(ValueError, match=r"is not?\b"):
        parse(text)


def test_a_malformed_file_switches_all_off(file: Path):
    """A test that can't be read must not make a server do something else."""
    write(file, "a.b = error(x)\nnonsense")

    assert outcomes("a.b", 2) == ["", ""]


def test_terms():
    """As they are written."""
    assert parse("a.b = 2*off -> error(x y)") == {"a.b": (Term("off", "", 2), Term("error", "x y"))}
    assert find_term((Term("off", "", 2), Term("crash", "", 1)), 2) == Term("crash", "", 1)
    assert find_term((Term("off", "", 2), Term("crash", "", 1)), 3) == Term("off")
