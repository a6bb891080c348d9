"""`./dev`: it says what is missing and what to do, does each thing once, and ends with the right status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devkit import environment, packages
from devkit.environment import ensure_environment
from devkit.lock import plan_markers
from devkit.packages import Package, ensure_packages, find_missing
from devkit.steps import StepFailed, Terminal, last_line, run_step

CHECKOUT = Path(__file__).resolve().parents[3]
QUIET = Terminal(is_live=False)


def _dev(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHECKOUT / "dev"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables},
    )


def test_help_names_every_command() -> None:
    """A newcomer finds each command and what it is for."""
    shown = _dev("help")
    assert shown.returncode == 0
    assert all(f"  {name} " in shown.stdout for name in ("setup", "demo", "test", "lint", "bench", "lock", "help"))


def test_an_unknown_command_is_an_error_that_shows_the_known_ones() -> None:
    """Nothing is done, and the status says so."""
    shown = _dev("frobnicate")
    assert shown.returncode == 2
    assert "no command `frobnicate`" in shown.stderr
    assert "usage: ./dev" in shown.stderr


def test_without_a_python_that_is_new_enough_the_remedy_is_named() -> None:
    """The first thing that can be missing on a fresh machine."""
    shown = _dev("test", TIDEGATE_PYTHON="/bin/false")
    assert shown.returncode == 1
    assert "no Python 3.11 or newer was found" in shown.stderr
    assert "apt-get install" in shown.stderr


def test_a_step_that_fails_shows_the_end_of_its_output(tmp_path: Path) -> None:
    """The reason is on the screen; where the rest is, too."""
    program = "print('first'); print('cannot reach the moon'); raise SystemExit(3)"
    with pytest.raises(StepFailed) as failure:
        run_step("fly", [sys.executable, "-c", program], tmp_path / "log", terminal=QUIET)
    assert "cannot finish `fly`" in str(failure.value)
    assert "ended with 3" in str(failure.value)
    assert "cannot reach the moon" in str(failure.value)
    assert str(tmp_path / "log") in str(failure.value)


def test_a_step_whose_program_is_missing_says_which(tmp_path: Path) -> None:
    """An uninstalled tool is no traceback."""
    with pytest.raises(StepFailed, match="cannot run no-such-program-here"):
        run_step("x", ["no-such-program-here"], tmp_path / "log", terminal=QUIET)


def test_a_step_has_no_input_to_wait_for(tmp_path: Path) -> None:
    """A program that asks gets the end of file, so that nothing hangs in CI; what it is given beside is there."""
    program = "import os, sys; print(repr(sys.stdin.read()), os.environ['GIVEN'])"
    log = tmp_path / "log"
    run_step("ask", [sys.executable, "-c", program], log, terminal=QUIET, environment={"GIVEN": "value"})
    assert log.read_text() == "'' value\n"


def test_the_last_line_is_plain_text(tmp_path: Path) -> None:
    """Progress bars and colours of a program do not get at our terminal."""
    log = tmp_path / "log"
    log.write_bytes(b"one\ntwo 10%\rtwo 20%\x1b[0m\n\n")
    assert last_line(log) == "two 20%[0m"


def _fake(directory: Path, name: str, script: str) -> None:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, candidates: str) -> Path:
    """A machine that has `present` installed, and whose apt knows `candidates` (a shell pattern)."""
    programs = tmp_path / "bin"
    calls = tmp_path / "calls"
    calls.touch()
    installed = tmp_path / "installed"
    installed.write_text("present\n")
    _fake(programs, "dpkg-query", f"sed 's/$/\tinstalled/' {installed}; exit 1")
    _fake(
        programs,
        "apt-cache",
        f'case $2 in {candidates}) echo "  Candidate: 1";; *) echo "  Candidate: (none)";; esac',
    )
    _fake(
        programs,
        "apt-get",
        f'echo "$@" >>{calls}; for name; do :; done; [ "$1" = install ] && echo $name >>{installed}; true',
    )
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(packages, "_is_stale", lambda: False)
    return calls


def test_only_what_is_missing_is_installed_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run asks dpkg and touches nothing; services of packages are not started."""
    calls = _fake_apt(tmp_path, monkeypatch, "*")
    wanted = [Package("present"), Package("absent")]
    assert find_missing(["present", "absent"]) == ["absent"]
    ensure_packages(wanted, tmp_path / "log", QUIET)
    (line,) = calls.read_text().splitlines()
    assert line.startswith("install --yes --no-install-recommends")
    assert line.endswith("absent")
    assert "present" not in line
    assert not (tmp_path / "policy-rc.d").exists(), "taken away again"
    ensure_packages(wanted, tmp_path / "log", QUIET)
    assert len(calls.read_text().splitlines()) == 1


def test_a_package_that_the_distribution_lacks_is_a_warning_if_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Set-up goes on and says what is lost; apt's lists are fetched first, in case they were old."""
    calls = _fake_apt(tmp_path, monkeypatch, "nothing")
    ensure_packages([Package("rare", without="init is refused")], tmp_path / "log", QUIET)
    assert "has no rare: init is refused" in capsys.readouterr().err
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["update"]


def test_a_package_that_must_be_and_is_not_to_be_had_ends_the_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is installed, with the remedy."""
    _fake_apt(tmp_path, monkeypatch, "nothing")
    with pytest.raises(StepFailed, match="cannot install vital: apt knows no such package"):
        ensure_packages([Package("vital")], tmp_path / "log", QUIET)


def test_only_root_can_install_and_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that root would run; who has all packages needs no root."""
    calls = _fake_apt(tmp_path, monkeypatch, "*")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StepFailed, match=r"only root may\.\n.*sudo apt-get install -y absent"):
        ensure_packages([Package("absent")], tmp_path / "log", QUIET)
    ensure_packages([Package("present")], tmp_path / "log", QUIET)
    assert calls.read_text() == ""


def test_without_apt_the_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another distribution the user learns what to install by hand."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepFailed, match=r"not a Debian or Ubuntu machine with apt.*\n.*: conmon skopeo"):
        ensure_packages([Package("conmon"), Package("skopeo")], tmp_path / "log", QUIET)


def test_the_environment_is_filled_once_for_each_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed lock file is noticed; a larger environment serves a smaller need."""
    installs: list[str] = []
    monkeypatch.setattr(environment, "_works", lambda python: True)
    monkeypatch.setattr(environment, "run_step", lambda label, *rest, **options: installs.append(label))
    (tmp_path / ".venv").mkdir()
    for name in (*environment.LOCKS.values(), "pyproject.toml"):
        (tmp_path / name).write_text("one")
    for profile in ("test", "test", "demo", "setup"):
        ensure_environment(tmp_path, profile, tmp_path, QUIET)
    assert len(installs) == 2, "the locked packages and ourselves, once"
    (tmp_path / "requirements-test.lock").write_text("two")
    ensure_environment(tmp_path, "test", tmp_path, QUIET)
    assert len(installs) == 4
    assert len(list((tmp_path / ".venv").glob(".installed-test-*"))) == 1


def test_locks_hold_for_a_release_candidate_of_python() -> None:
    """Ubuntu 22.04's python3.11 is 3.11.0rc1, for which pip leaves out what is marked by the full version."""
    line = "typing-extensions==4.16.0 ; python_full_version < '3.15' \\\n    --hash=sha256:00\n"
    assert plan_markers(line) == line.replace("python_full_version", "python_version")
    locks = [path.read_text() for path in CHECKOUT.glob("requirements*.lock")]
    assert [lock for lock in locks if "python_full_version" in lock] == []
