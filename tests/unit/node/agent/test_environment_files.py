"""Environment files: read as ECS reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.specs import task_spec
from tidegate.model.execution import ExecutionFailure
from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.agent.environment import EnvironmentUnavailable
from tidegate.node.agent.environment_files import FileEnvironment, parse_environment

pytestmark = pytest.mark.anyio
TEXT = st.text(st.characters(blacklist_characters="\n\r\0", blacklist_categories=("Cs",)), min_size=1)


class Objects:
    """Objects by ARN."""

    def __init__(self, **files: str) -> None:
        self.files = {f"arn:aws:s3:::b/{name}.env": text.encode() for name, text in files.items()}

    async def read_object(self, task: TaskSpec, arn: str) -> bytes:
        if arn not in self.files:
            raise ExecutionFailure("NoSuchKey: The specified key does not exist.")
        return self.files[arn]


def test_lines() -> None:
    """Comments and what has no value are left out; quotes, spaces and further `=` belong to the value."""
    text = b'# comment\nA=1\n\nB="two words"\nC=\nD\n=x\nE = 5 \nF=a=b\r\nG=#1\n #H=1\nA=2'
    assert parse_environment(text) == {
        "A": "2",
        "B": '"two words"',
        "E ": " 5 ",
        "F": "a=b",
        "G": "#1",
        " #H": "1",
    }


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    """Editors put one there."""
    assert parse_environment(b"\xef\xbb\xbfA=1") == {"A": "1"}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"A=\xff", "not UTF-8"),
        (b"A=\x00", "null character"),
        (b"".join(b"V%d=1\n" % n for n in range(10_001)), "more"),
    ],
)
def test_what_can_not_be_read(data: bytes, why: str) -> None:
    """Is told, and not what it holds."""
    with pytest.raises(ExecutionFailure, match=why):
        parse_environment(data)


@given(st.dictionaries(TEXT.filter(lambda name: "=" not in name), TEXT))
def test_what_is_written_is_read(variables: dict[str, str]) -> None:
    """Every variable whose name does not begin with a comment's mark."""
    text = "".join(f"{name}={value}\n" for name, value in variables.items())
    expected = {name: value for name, value in variables.items() if not name.startswith(("#", "\ufeff"))}
    assert parse_environment(text.encode()).items() >= expected.items()


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """Are variables, or refused."""
    try:
        found = parse_environment(data)
    except ExecutionFailure:
        return
    assert all(name and value and "\0" not in name + value for name, value in found.items())


async def test_the_first_file_that_has_a_variable_counts() -> None:
    """In the order in which the definition names them."""
    source = FileEnvironment(Objects(a="A=a\nB=a", b="B=b\nC=b", c="C=c\nD=c"))
    files = tuple(f"arn:aws:s3:::b/{name}.env" for name in "abc")
    spec = ContainerSpec(name="c", image="i", environment_files=files)
    assert await source.resolve(task_spec(spec), spec) == {"A": "a", "B": "a", "C": "b", "D": "c"}


async def test_a_file_that_is_not_there() -> None:
    """Is the task's reason, in Fargate's words."""
    spec = ContainerSpec(name="c", image="i", environment_files=("arn:aws:s3:::b/dir/x.env",))
    with pytest.raises(EnvironmentUnavailable) as caught:
        await FileEnvironment(Objects()).resolve(task_spec(spec), spec)
    assert str(caught.value) == (
        "ResourceInitializationError: failed to download env files: file download command: non empty error stream: "
        "failed to download file x.env: NoSuchKey: The specified key does not exist."
    )
