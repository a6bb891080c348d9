"""
What a task's role may do with an EFS file system, for volumes with `authorizationConfig.iam`.

There are no file system policies here, so the default one holds, which lets in everybody who reaches the file system:
what remains for the role's own policies is to deny. Source: EFS user guide, "Using IAM to control file system data
access".
"""

from __future__ import annotations

from tidegate.model.arn import arn
from tidegate.model.execution import FileSystemRights
from tidegate.model.spec import EfsVolume, TaskSpec
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.identities import find_role, session_arn
from tidegate.store.store import Store


class TaskFileSystemRights:
    """Satisfies the node's `MountRights`."""

    def __init__(self, store: Store, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer

    def of(self, task: TaskSpec, volume: EfsVolume) -> FileSystemRights:
        """By the role's policies as they are now; a task without a role may not mount what checks it."""
        if task.task_role is None:
            return FileSystemRights(may_mount=False, may_write=False)
        if find_role(self._store, task.task_role) is None:
            return FileSystemRights()
        principal = session_arn(task.task_role.rpartition("/")[2], task.id, task.account, task.region)
        resource = arn("elasticfilesystem", task.region, task.account, f"file-system/{volume.file_system}")
        context = {"elasticfilesystem:AccessedViaMountTarget": "true", "aws:SecureTransport": "true"}
        if volume.access_point is not None:
            point = arn("elasticfilesystem", task.region, task.account, f"access-point/{volume.access_point}")
            context["elasticfilesystem:AccessPointArn"] = point

        def is_denied(action: str) -> bool:
            decision = self._authorizer.check(principal, f"elasticfilesystem:{action}", resource, context)
            return not decision.is_allowed and decision.is_explicit

        return FileSystemRights(may_mount=not is_denied("ClientMount"), may_write=not is_denied("ClientWrite"))
