"""Network interfaces: each task's own, derived from the task's record."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import SecurityGroup
from tidegate.model.status import Interface, LastStatus
from tidegate.model.task import Task
from tidegate.services.ec2.errors import Ec2Error, check_dry_run
from tidegate.services.ec2.listing import Kind, describe
from tidegate.services.ec2.zones import zone_id
from tidegate.services.ecs.names import arn
from tidegate.store.store import Store

_STATUS: dict[LastStatus, ec2.NetworkInterfaceStatus] = {
    LastStatus.PENDING: "attaching",
    LastStatus.DEPROVISIONING: "detaching",
}
"""Of the interface; in-use in all other states."""

_ATTACHMENT: dict[ec2.NetworkInterfaceStatus, ec2.AttachmentStatus] = {
    "attaching": "attaching",
    "in-use": "attached",
    "detaching": "detaching",
}

_KIND: Kind[ec2.NetworkInterface] = Kind(
    operation="DescribeNetworkInterfaces",
    key=lambda eni: eni.network_interface_id or "",
    fields={
        "addresses.primary": lambda eni: [True],
        "addresses.private-ip-address": lambda eni: [eni.private_ip_address],
        "association.public-ip": lambda eni: [],
        "attachment.attachment-id": lambda eni: [eni.attachment.attachment_id if eni.attachment else None],
        "attachment.instance-id": lambda eni: [],
        "attachment.status": lambda eni: [eni.attachment.status if eni.attachment else None],
        "availability-zone": lambda eni: [eni.availability_zone],
        "description": lambda eni: [eni.description],
        "group-id": lambda eni: [group.group_id for group in eni.groups or ()],
        "group-name": lambda eni: [group.group_name for group in eni.groups or ()],
        "interface-type": lambda eni: [eni.interface_type],
        "mac-address": lambda eni: [eni.mac_address],
        "network-interface-id": lambda eni: [eni.network_interface_id],
        "owner-id": lambda eni: [eni.owner_id],
        "private-dns-name": lambda eni: [eni.private_dns_name],
        "private-ip-address": lambda eni: [eni.private_ip_address],
        "requester-managed": lambda eni: [eni.requester_managed],
        "status": lambda eni: [eni.status],
        "subnet-id": lambda eni: [eni.subnet_id],
        "vpc-id": lambda eni: [eni.vpc_id],
    },
    tags=lambda eni: {tag.key or "": tag.value or "" for tag in eni.tag_set or ()},
    missing=lambda eni: Ec2Error(
        "InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist"
    ),
)


def tasks_with_interface(store: Store) -> Iterator[tuple[Task, Interface]]:
    """The tasks that hold an address now."""
    for task in store.select(Task, "active", "yes"):
        if task.status.interface is not None:
            yield task, task.status.interface


class NetworkInterfaces:
    """The operation DescribeNetworkInterfaces."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe_network_interfaces(
        self, ctx: Context, request: ec2.DescribeNetworkInterfacesRequest
    ) -> ec2.DescribeNetworkInterfacesResult:
        """Interfaces by id or filter; one exists from the moment a task has an address until it has stopped."""
        check_dry_run(request.dry_run)
        names = {group.id: group.name for group in self._store.select(SecurityGroup)}
        found, token = describe(
            _KIND,
            [_shape(ctx, task, interface, names) for task, interface in tasks_with_interface(self._store)],
            ids=request.network_interface_ids,
            filters=request.filters,
            max_results=request.max_results,
            token=request.next_token,
        )
        return ec2.DescribeNetworkInterfacesResult(network_interfaces=tuple(found), next_token=token)


def _shape(ctx: Context, task: Task, interface: Interface, names: dict[str, str]) -> ec2.NetworkInterface:
    status = _STATUS.get(task.status.last_status, "in-use")
    dns_name = interface.private_dns_name(ctx.region)
    return ec2.NetworkInterface(
        network_interface_id=interface.id,
        attachment=ec2.NetworkInterfaceAttachment(
            attachment_id=f"eni-attach-{interface.id.removeprefix('eni-')}",
            attach_time=task.status.connected_at,
            delete_on_termination=True,
            device_index=1,
            status=_ATTACHMENT[status],
        ),
        availability_zone=interface.availability_zone,
        availability_zone_id=zone_id(interface.availability_zone),
        description=arn(ctx, f"attachment/{interface.attachment}"),
        groups=tuple(ec2.GroupIdentifier(group_id=g, group_name=names.get(g)) for g in interface.security_groups),
        interface_type="interface",
        ipv6_addresses=(),
        mac_address=interface.mac,
        owner_id=ctx.account,
        private_dns_name=dns_name,
        private_ip_address=interface.address,
        private_ip_addresses=(
            ec2.NetworkInterfacePrivateIpAddress(
                primary=True, private_dns_name=dns_name, private_ip_address=interface.address
            ),
        ),
        requester_managed=True,
        source_dest_check=True,
        status=status,
        subnet_id=interface.subnet,
        tag_set=tuple(
            ec2.Tag(key=tag.key, value=tag.value) for tag in task.tags if (tag.key or "").startswith("aws:ecs:")
        ),
        vpc_id=interface.vpc,
    )
