"""Names of parameters: whatever is taken can be found again by every way there is, and nothing else is found by it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fakes.parameters import SecretServices
from fakes.services import run_async
from tidegate.api.shape import ServiceError

PART = st.text(st.sampled_from("abSM._-09"), min_size=1, max_size=6)
NAME = st.one_of(
    PART,
    st.lists(PART, min_size=1, max_size=17).map(lambda parts: "/" + "/".join(parts)),
    st.text(max_size=20),
    st.text(st.sampled_from("a/:. é\n"), max_size=12),
)
ARN = "arn:aws:ssm:eu-north-1:123456789012:parameter"


async def is_taken(bench: SecretServices, name: str) -> bool:
    try:
        await bench.put(name, name or "-")
    except ServiceError:
        return False
    return True


@given(st.lists(NAME.filter(bool), max_size=6, unique=True))
def test_names(names: list[str]) -> None:
    """By name, version and path each leads to its own value; an ARN to one of those that have it."""

    async def play() -> None:
        bench = SecretServices()
        kept = [name for name in names if await is_taken(bench, name)]
        for name in kept:
            assert not name.lower().lstrip("/").startswith(("aws", "ssm"))
            assert name.count("/") <= 15
            for asked in (name, f"{name}:1"):
                assert (await bench.ssm("GetParameter", Name=asked))["Parameter"]["Value"] == name
            by_arn = await bench.ssm("GetParameter", Name=f"{ARN}/{name.removeprefix('/')}")
            assert by_arn["Parameter"]["ARN"] == f"{ARN}/{name.removeprefix('/')}"
            assert by_arn["Parameter"]["Name"].removeprefix("/") == name.removeprefix("/")
            path = name.rpartition("/")[0] or "/"
            found = await bench.ssm("GetParametersByPath", Path=path, MaxResults=10)
            assert name in [p["Name"] for p in found["Parameters"]]
        for name in set(names) - set(kept):
            answer = await bench.ssm("GetParameters", Names=[name])
            assert [p["Name"] for p in answer["Parameters"] if p["Name"] not in kept] == []
        described = await bench.ssm("DescribeParameters")
        assert sorted(p["Name"] for p in described["Parameters"]) == sorted(kept)

    run_async(play)
