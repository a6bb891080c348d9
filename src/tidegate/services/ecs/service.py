"""Amazon ECS: every operation, put together from the modules that know one resource each."""

from __future__ import annotations

from tidegate.services.ecs.attributes import Attributes
from tidegate.services.ecs.clusters import Clusters
from tidegate.services.ecs.definitions import TaskDefinitions
from tidegate.services.ecs.execute_command import ExecuteCommand, NoSessions
from tidegate.services.ecs.poll_endpoint import PollEndpoint
from tidegate.services.ecs.run_task import RunTask
from tidegate.services.ecs.settings import Settings
from tidegate.services.ecs.tags import ResourceTags
from tidegate.services.ecs.task_protection import TaskProtection
from tidegate.services.ecs.tasks import Tasks
from tidegate.services.iam.task_roles import TaskRoles
from tidegate.services.writes import Clock
from tidegate.store.store import Store


class Ecs:
    """
    Satisfies the generated `api.ecs.Api`: each operation is the bound method of the resource it is about.

    now: seconds since the epoch. roles: decides on those of tasks. execute: sessions with containers;
    None: there are none. agent_endpoint: what DiscoverPollEndpoint answers;
    None: it is refused.
    """

    def __init__(
        self,
        store: Store,
        now: Clock,
        roles: TaskRoles,
        execute: ExecuteCommand | None = None,
        *,
        agent_endpoint: str | None = None,
    ) -> None:
        clusters = Clusters(store, now)
        self.create_cluster = clusters.create_cluster
        self.describe_clusters = clusters.describe_clusters
        self.list_clusters = clusters.list_clusters
        self.update_cluster = clusters.update_cluster
        self.update_cluster_settings = clusters.update_cluster_settings
        self.put_cluster_capacity_providers = clusters.put_cluster_capacity_providers
        self.delete_cluster = clusters.delete_cluster

        definitions = TaskDefinitions(store, now)
        self.register_task_definition = definitions.register_task_definition
        self.deregister_task_definition = definitions.deregister_task_definition
        self.describe_task_definition = definitions.describe_task_definition
        self.list_task_definitions = definitions.list_task_definitions
        self.delete_task_definitions = definitions.delete_task_definitions
        self.list_task_definition_families = definitions.list_task_definition_families

        self._serve_tasks(store, now, roles, execute or ExecuteCommand(store, NoSessions(), roles.may_role))

        tags = ResourceTags(store, now)
        self.tag_resource = tags.tag_resource
        self.untag_resource = tags.untag_resource
        self.list_tags_for_resource = tags.list_tags_for_resource

        settings = Settings(store, now)
        self.put_account_setting = settings.put_account_setting
        self.put_account_setting_default = settings.put_account_setting_default
        self.list_account_settings = settings.list_account_settings
        self.delete_account_setting = settings.delete_account_setting

        attributes = Attributes(store, now)
        self.list_attributes = attributes.list_attributes
        self.put_attributes = attributes.put_attributes
        self.delete_attributes = attributes.delete_attributes

        self.discover_poll_endpoint = PollEndpoint(agent_endpoint).discover_poll_endpoint

    def _serve_tasks(self, store: Store, now: Clock, roles: TaskRoles, execute: ExecuteCommand) -> None:
        tasks = Tasks(store, now)
        self.run_task = RunTask(store, now, roles).run_task
        self.stop_task = tasks.stop_task
        self.describe_tasks = tasks.describe_tasks
        self.list_tasks = tasks.list_tasks
        self.execute_command = execute.execute_command

        protection = TaskProtection(store, now)
        self.get_task_protection = protection.get_task_protection
        self.update_task_protection = protection.update_task_protection
