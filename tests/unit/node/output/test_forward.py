"""Lines as the Forward protocol has them, read by a receiver that knows its specification alone."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.forward import Receiver, read_records, reader_of, unpack
from tidegate.model.log import Burst
from tidegate.model.spec import ForwardTarget
from tidegate.node.output.backlog import MIB
from tidegate.node.output.channel import SentOffset
from tidegate.node.output.forward import (
    PART_BYTES,
    Origin,
    chunk_id,
    encode_entries,
    encode_message,
    read_acknowledgement,
)
from tidegate.node.output.forwarding import ForwardChannel
from tidegate.node.output.pace import Pace
from tidegate.node.output.reader import OutputReader
from tidegate.node.output.sink import LogSink

ORIGIN = Origin("0123-4567", "app")
FAST = Pace(linger=0.001, hold=0.05, retry=0.05, drain=10)
NANOSECONDS = st.integers(0, 2**32 * 10**9 - 1)
BURSTS = st.lists(
    st.builds(Burst, st.sampled_from(["stdout", "stderr"]), NANOSECONDS, st.lists(st.binary(max_size=50)))
)


@given(bursts=BURSTS, tag=st.text(min_size=1))
def test_records_are_read_as_they_were_written(bursts: list[Burst], tag: str):
    """Tag, time to the nanosecond, text and origin of each line, in order."""
    entries = encode_entries(bursts, ORIGIN)
    read, is_done = reader_of(encode_message(tag, entries, "id"))
    records, option = read_records(unpack(read))
    assert is_done()
    assert option == {"size": len(entries), "chunk": "id"}
    assert [(r.tag, r.time_ns, r.fields) for r in records] == [
        (
            tag,
            burst.time_ns,
            {
                "log": line.decode(errors="replace"),
                "source": burst.output,
                "container_id": "0123-4567",
                "container_name": "app",
            },
        )
        for burst in bursts
        for line in burst.lines
    ]


@given(size=st.integers(PART_BYTES - 5, 3 * PART_BYTES), character=st.sampled_from("aä€😀"))
def test_long_lines_go_in_parts(size: int, character: str):
    """Parts say whose they are, which they are, and which is the last; put together they are the line."""
    line = (character * size).encode()[: size - size % len(character.encode())]
    read, _ = reader_of(encode_message("t", encode_entries([Burst("stdout", 7, [line])], ORIGIN), None))
    records, option = read_records(unpack(read))
    assert "chunk" not in option
    assert "".join(r.fields["log"] for r in records).encode() == line
    assert all(len(r.fields["log"].encode()) <= PART_BYTES for r in records)
    if len(line) <= PART_BYTES:
        assert [set(r.fields) & {"partial_message"} for r in records] == [set()]
        return
    assert [int(r.fields["partial_ordinal"]) for r in records] == list(range(1, len(records) + 1))
    assert [r.fields["partial_last"] for r in records] == [*["false"] * (len(records) - 1), "true"]
    assert len({r.fields["partial_id"] for r in records}) == 1


def test_acknowledgements():
    """An id, not yet one, or an error: nothing else."""
    assert read_acknowledgement(b"\x81\xa3ack\xa2id") == "id"
    assert read_acknowledgement(b"\x81\xa3ack\xa2i") is None
    assert read_acknowledgement(b"") is None
    for answer in (b"\x81\xa3nak\xa2id", b"\x2a", b"\x81\xa3ack\x01"):
        with pytest.raises(ValueError, match="answered"):
            read_acknowledgement(answer)
    assert chunk_id("a", 1) == chunk_id("a", 1) != chunk_id("a", 2) != chunk_id("b", 2)


class NoStore:
    """Nobody keeps log events here."""

    async def open(self, *_: object) -> int:
        raise AssertionError("not for the log store")

    append = open


def write(path: Path, *texts: str) -> None:
    with path.open("a") as file:
        file.writelines(f"2026-03-01T12:00:00.123456789+00:00 stdout F {text}\n" for text in texts)


async def until(condition: object) -> None:
    with anyio.fail_after(10):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - a real socket is awaited
            await anyio.sleep(0.002)


def texts(receiver: Receiver) -> list[str]:
    return [record.fields["log"] for record in receiver.records]


def reader() -> OutputReader:
    sink: LogSink = NoStore()  # type: ignore[assignment]
    return OutputReader(sink, FAST)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
class TestDelivery:
    """A reader and a receiver, over real sockets."""

    @pytest.mark.parametrize("kind", ["unix", "tcp"])
    async def test_lines_arrive_in_order(self, tmp_path: Path, kind: str):
        """All of them, while the container runs and at its end; the offset is kept, so that nothing is sent again."""
        path = tmp_path / "log"
        with Receiver(str(tmp_path / "s") if kind == "unix" else "") as receiver:
            target = ForwardTarget(tag="app-firelens-1", address=receiver.address)
            output = reader()
            async with output.open():
                async with output.follow(path, "c", target, None, ORIGIN):
                    write(path, *(str(number) for number in range(5000)))
                    await until(lambda: len(receiver.records) == 5000)
                    write(path, "more")
                async with output.follow(path, "c", target, None, ORIGIN):
                    write(path, "again")
        assert texts(receiver) == [*(str(number) for number in range(5000)), "more", "again"]
        assert {(r.tag, r.time_ns) for r in receiver.records} == {("app-firelens-1", 1772366400123456789)}
        assert len(set(receiver.chunks)) == len(receiver.chunks)

    async def test_a_receiver_may_come_late_and_go(self, tmp_path: Path):
        """Lines wait for it, on the disk; after it was killed the next one gets what the first has not acknowledged."""
        path = tmp_path / "log"
        target = ForwardTarget(tag="t", address=f"unix://{tmp_path / 's'}")
        output = reader()
        async with output.open(), output.follow(path, "c", target, None, ORIGIN):
            write(path, "early")
            await anyio.sleep(0.1)
            with Receiver(str(tmp_path / "s")) as first:
                await until(lambda: texts(first) == ["early"])
                write(path, "one")
                await until(lambda: texts(first) == ["early", "one"])
            write(path, "between")
            with Receiver(str(tmp_path / "s")) as second:
                await until(lambda: texts(second) == ["between"])

    async def test_what_is_not_acknowledged_is_sent_again(self, tmp_path: Path):
        """Under the same id, in the same order; lines behind it wait."""
        path = tmp_path / "log"
        with Receiver(str(tmp_path / "s"), cuts=2) as receiver:
            target = ForwardTarget(tag="t", address=receiver.address)
            output = reader()
            async with output.open(), output.follow(path, "c", target, None, ORIGIN):
                write(path, "a", "b")
                await until(lambda: texts(receiver) == ["a", "b"])
                write(path, "c")
        assert texts(receiver) == ["a", "b", "c"]

    async def test_an_idle_connection_that_was_closed_is_made_anew(self, tmp_path: Path):
        """At once, and without loss."""
        path = tmp_path / "log"
        with Receiver(str(tmp_path / "s")) as receiver:
            target = ForwardTarget(tag="t", address=receiver.address)
            output = reader()
            async with output.open(), output.follow(path, "c", target, None, ORIGIN):
                write(path, "a")
                await until(lambda: texts(receiver) == ["a"])
                receiver.hang_up()
                write(path, "b")
                await until(lambda: texts(receiver) == ["a", "b"])

    async def test_a_reader_that_dies_repeats_one_chunk_at_most(self, tmp_path: Path):
        """Killed between the acknowledgement and its own note, it sends that chunk again under the same id."""
        path, sent = tmp_path / "log", SentOffset(tmp_path / "log.sent")
        write(path, "a")
        with Receiver(str(tmp_path / "s")) as receiver:
            channel = ForwardChannel(ForwardTarget(tag="t", address=receiver.address), "c", ORIGIN, sent)
            await channel.append([Burst("stdout", 0, [b"a"])], path.stat().st_size)
            sent.write(0)  # as it was before the note
            output = reader()
            async with output.open(), output.follow(path, "c", ForwardTarget(tag="t", address=receiver.address)):
                write(path, "b")
            await channel.close()
        assert texts(receiver)[:2] == ["a", "a"]
        assert texts(receiver)[-1] == "b"

    async def test_a_receiver_without_acknowledgements(self, tmp_path: Path):
        """As fluentd's unix socket: what was written to it counts as taken."""
        path = tmp_path / "log"
        with Receiver(str(tmp_path / "s"), acknowledges=False) as receiver:
            target = ForwardTarget(tag="t", address=receiver.address, has_acknowledgements=False)
            output = reader()
            async with output.open(), output.follow(path, "c", target, None, ORIGIN):
                write(path, "a", "b")
                await until(lambda: texts(receiver) == ["a", "b"])
                write(path, *(str(number) for number in range(3000)))
            assert len(receiver.records) == 3002, "it was given the time to read"
        assert receiver.chunks == []

    async def test_a_router_that_is_gone_is_not_waited_for_long(self, tmp_path: Path):
        """When the container has ended, its last lines are given up after a while; the task must be able to stop."""
        path = tmp_path / "log"
        output = OutputReader(NoStore(), Pace(linger=0.001, retry=0.01, part=0.2))  # type: ignore[arg-type]
        target = ForwardTarget(tag="t", address=f"unix://{tmp_path / 's'}", is_blocking=True)
        with anyio.fail_after(5):
            async with output.open(), output.follow(path, "c", target, None, ORIGIN):
                write(path, "a")

    @pytest.mark.parametrize("kind", ["link", "file"])
    async def test_a_router_cannot_lead_us_elsewhere(self, tmp_path: Path, kind: str):
        """Its directory is the container's to write to: a link to a socket of the host's is not followed."""
        with Receiver(str(tmp_path / "hosts")) as receiver:
            lure = tmp_path / "s"
            if kind == "link":
                lure.symlink_to(tmp_path / "hosts")
            else:
                lure.write_text("no socket")
            target = ForwardTarget(tag="t", address=f"unix://{lure}")
            channel = ForwardChannel(target, "c", ORIGIN, SentOffset(tmp_path / "sent"))
            with pytest.raises(OSError, match="no socket"):
                await channel.append([Burst("stdout", 0, [b"secret"])], 10)
        assert receiver.records == []

    async def test_a_flood_is_taken(self, tmp_path: Path):
        """Many lines, none lost, none twice."""
        path = tmp_path / "log"
        write(path, *(f"{number} {'x' * 80}" for number in range(60_000)))
        assert path.stat().st_size > 7 * MIB
        with Receiver(str(tmp_path / "s")) as receiver:
            target = ForwardTarget(tag="t", address=receiver.address, is_blocking=True)
            output = reader()
            async with output.open(), output.follow(path, "c", target, None, ORIGIN):
                pass
        assert [int(text.split()[0]) for text in texts(receiver)] == list(range(60_000))
