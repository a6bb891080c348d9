"""What Tidegate's own operations need; see `services.authorization`. Actions are `tidegate:<operation>`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tidegate.model.arn import arn
from tidegate.services.authorization import Ask, Row, Table
from tidegate.services.ecs.authorization import find_tags, task_resource


def _image(ask: Ask, request: Any) -> Iterable[str]:
    """arn:aws:tidegate:<region>:<account>:image/<reference>."""
    return (arn("tidegate", ask.ctx.region, ask.ctx.account, f"image/{request.reference}"),)


_ON_IMAGE = Row(_image)

TABLE = Table(
    "tidegate",
    {
        "ListImages": Row(),
        "ImportImage": _ON_IMAGE,
        "PullImage": _ON_IMAGE,
        "ExportImage": _ON_IMAGE,
        "RemoveImage": _ON_IMAGE,
        "CollectGarbage": Row(),
        "DescribeTimeline": Row(task_resource),
        "DescribeNodes": Row(),
        "RotateMasterKey": Row(),
        "DescribeMasterKeys": Row(),
        "StartExec": Row(task_resource),
        "StartForward": Row(task_resource),
        "StartCopy": Row(task_resource),
        "DescribeBlackBox": Row(task_resource),
        "ExplainTask": Row(task_resource),
    },
    find_tags,
)
