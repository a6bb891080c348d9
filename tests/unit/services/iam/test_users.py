"""Users, their keys and their groups, through AWS's client."""

from __future__ import annotations

import json
from typing import Any

from fakes.cloud import ROOT_KEY, Cloud, refusal
from fakes.identity import allow, document

READ = document(allow("ecs:List*"))


def test_a_users_life(iam: Any) -> None:
    """Create, get, list, rename, delete: the id stays, names differ in more than case."""
    made = iam.create_user(UserName="Bo", Path="/team/", Tags=[{"Key": "k", "Value": "v"}])["User"]
    assert made["Arn"] == "arn:aws:iam::123456789012:user/team/Bo"
    assert (made["UserId"][:4], len(made["UserId"])) == ("AIDA", 21)
    assert iam.get_user(UserName="Bo")["User"] == made
    already = ("EntityAlreadyExists", "User with name BO already exists.")
    assert refusal(iam.create_user, UserName="BO") == already
    missing = ("NoSuchEntity", "The user with name bo cannot be found.")
    assert refusal(iam.get_user, UserName="bo") == missing
    assert made["UserName"] in [u["UserName"] for u in iam.list_users(PathPrefix="/team/")["Users"]]
    assert iam.list_users(PathPrefix="/other/")["Users"] == []
    iam.update_user(UserName="Bo", NewUserName="Al", NewPath="/x/")
    moved = iam.get_user(UserName="Al")["User"]
    assert (moved["UserId"], moved["Arn"]) == (made["UserId"], "arn:aws:iam::123456789012:user/x/Al")
    assert iam.list_user_tags(UserName="Al")["Tags"] == [{"Key": "k", "Value": "v"}]
    iam.delete_user(UserName="Al")
    assert refusal(iam.delete_user, UserName="Al")[0] == "NoSuchEntity"


def test_tags(iam: Any) -> None:
    """Keys differ in more than case; at most fifty, none of AWS's."""
    iam.create_user(UserName="tagged")
    iam.tag_user(UserName="tagged", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.tag_user(UserName="tagged", Tags=[{"Key": "A", "Value": "3"}])
    iam.untag_user(UserName="tagged", TagKeys=["B", "never"])
    assert iam.list_user_tags(UserName="tagged")["Tags"] == [{"Key": "A", "Value": "3"}]
    twice = [{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "1"}]
    assert refusal(iam.tag_user, UserName="tagged", Tags=twice)[0] == "InvalidInput"
    assert refusal(iam.tag_user, UserName="tagged", Tags=[{"Key": "aws:x", "Value": "1"}])[0] == "InvalidInput"
    many = [{"Key": f"k{i}", "Value": ""} for i in range(50)]
    assert refusal(iam.tag_user, UserName="tagged", Tags=many)[0] == "LimitExceeded"


def test_what_a_key_opens(cloud: Cloud, iam: Any) -> None:
    """Its user, under whatever name it has by now, while it is active and there."""
    keys = cloud.user_keys("keyed", allow("iam:GetUser"))
    assert (keys["AccessKeyId"][:4], len(keys["AccessKeyId"]), len(keys["SecretAccessKey"])) == ("AKIA", 20, 40)
    assert keys["Status"] == "Active"
    sts = cloud.client("sts", keys)
    found = sts.get_caller_identity()
    assert found["Arn"] == "arn:aws:iam::123456789012:user/keyed"
    assert found["UserId"] == iam.get_user(UserName="keyed")["User"]["UserId"]
    iam.update_user(UserName="keyed", NewUserName="renamed")
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/renamed"
    assert cloud.client("iam", keys).get_user()["User"]["UserName"] == "renamed"
    key = {"UserName": "renamed", "AccessKeyId": keys["AccessKeyId"]}
    iam.update_access_key(**key, Status="Inactive")
    unknown = ("InvalidClientTokenId", "The security token included in the request is invalid.")
    assert refusal(sts.get_caller_identity) == unknown
    assert [k["Status"] for k in iam.list_access_keys(UserName="renamed")["AccessKeyMetadata"]] == ["Inactive"]
    iam.update_access_key(**key, Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(**key)
    assert refusal(sts.get_caller_identity) == unknown
    assert refusal(iam.delete_access_key, **key) == (
        "NoSuchEntity",
        f"The Access Key with id {keys['AccessKeyId']} cannot be found.",
    )


def test_two_keys_and_no_more(iam: Any) -> None:
    """The quota of AWS; a user with keys is not deleted."""
    iam.create_user(UserName="two")
    keys = [iam.create_access_key(UserName="two")["AccessKey"]["AccessKeyId"] for _ in range(2)]
    full = ("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
    assert refusal(iam.create_access_key, UserName="two") == full
    conflict = ("DeleteConflict", "Cannot delete entity, must delete access keys first.")
    assert refusal(iam.delete_user, UserName="two") == conflict
    pages = list(iam.get_paginator("list_access_keys").paginate(UserName="two", PaginationConfig={"PageSize": 1}))
    assert [page["IsTruncated"] for page in pages] == [True, False]
    assert {page["AccessKeyMetadata"][0]["AccessKeyId"] for page in pages} == set(keys)
    other = {"UserName": "two", "AccessKeyId": ROOT_KEY}
    assert refusal(iam.delete_access_key, **other)[0] == "NoSuchEntity"


def test_whoever_asks_can_ask_about_itself(cloud: Cloud, iam: Any) -> None:
    """Keys without a user's name; the root's first key can't be taken away."""
    assert iam.get_user()["User"]["Arn"] == "arn:aws:iam::123456789012:root"
    own = cloud.client("iam", cloud.user_keys("self", allow("iam:*AccessKey*")))
    made = own.create_access_key()["AccessKey"]
    assert made["UserName"] == "self"
    assert len(own.list_access_keys()["AccessKeyMetadata"]) == 2
    second = iam.create_access_key()["AccessKey"]
    assert cloud.client("sts", second).get_caller_identity()["UserId"] == "123456789012"
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 2
    iam.delete_access_key(AccessKeyId=second["AccessKeyId"])
    assert refusal(iam.delete_access_key, AccessKeyId=ROOT_KEY)[0] == "DeleteConflict"
    assert refusal(iam.update_access_key, AccessKeyId=ROOT_KEY, Status="Inactive")[0] == "DeleteConflict"


def test_what_a_user_carries(iam: Any) -> None:
    """Inline and attached policies and a boundary: put, listed, taken away; a user that has some is not deleted."""
    iam.create_user(UserName="carrier")
    iam.put_user_policy(UserName="carrier", PolicyName="b", PolicyDocument=READ)
    iam.put_user_policy(UserName="carrier", PolicyName="a", PolicyDocument=READ)
    assert iam.list_user_policies(UserName="carrier")["PolicyNames"] == ["a", "b"]
    assert iam.get_user_policy(UserName="carrier", PolicyName="a")["PolicyDocument"] == json.loads(READ)
    aws = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.attach_user_policy(UserName="carrier", PolicyArn=aws)
    iam.attach_user_policy(UserName="carrier", PolicyArn=aws)
    attached = iam.list_attached_user_policies(UserName="carrier")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AdministratorAccess", "PolicyArn": aws}]
    assert refusal(iam.delete_user, UserName="carrier") == (
        "DeleteConflict",
        "Cannot delete entity, must detach all policies first.",
    )
    iam.detach_user_policy(UserName="carrier", PolicyArn=aws)
    assert refusal(iam.detach_user_policy, UserName="carrier", PolicyArn=aws) == (
        "NoSuchEntity",
        f"Policy {aws} was not found.",
    )
    assert refusal(iam.delete_user, UserName="carrier") == (
        "DeleteConflict",
        "Cannot delete entity, must delete policies first.",
    )
    for name in ("a", "b"):
        iam.delete_user_policy(UserName="carrier", PolicyName=name)
    gone = ("NoSuchEntity", "The user policy with name a cannot be found.")
    assert refusal(iam.get_user_policy, UserName="carrier", PolicyName="a") == gone
    assert refusal(iam.delete_user_policy, UserName="carrier", PolicyName="a") == gone
    iam.put_user_permissions_boundary(UserName="carrier", PermissionsBoundary=aws)
    boundary = iam.get_user(UserName="carrier")["User"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == aws
    iam.delete_user_permissions_boundary(UserName="carrier")
    assert refusal(iam.delete_user_permissions_boundary, UserName="carrier")[0] == "NoSuchEntity"
    iam.delete_user(UserName="carrier")


def test_what_inline_policies_may_be(iam: Any) -> None:
    """A policy in AWS's grammar, and together no more than the quota, blanks not counted."""
    iam.create_user(UserName="big")
    put = iam.put_user_policy
    wrong = refusal(put, UserName="big", PolicyName="p", PolicyDocument="{}")
    assert wrong == ("MalformedPolicyDocument", "Syntax errors in policy.")
    long = document(allow(*(f"ecs:Action{i:04}" for i in range(100))))
    assert len(long) < 2048
    put(UserName="big", PolicyName="p", PolicyDocument=long + " " * 2000)
    told = refusal(put, UserName="big", PolicyName="q", PolicyDocument=long)
    assert told == ("LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user big")
    put(UserName="big", PolicyName="p", PolicyDocument=long)


def test_groups(cloud: Cloud, iam: Any) -> None:
    """Members have what the group carries, by whatever name it goes; a group with members is not deleted."""
    made = iam.create_group(GroupName="ops", Path="/g/")["Group"]
    assert (made["GroupId"][:4], made["Arn"]) == ("AGPA", "arn:aws:iam::123456789012:group/g/ops")
    member = cloud.client("ecs", cloud.user_keys("member"))
    assert refusal(member.list_clusters)[0] == "AccessDeniedException"
    iam.put_group_policy(GroupName="ops", PolicyName="read", PolicyDocument=READ)
    iam.add_user_to_group(GroupName="ops", UserName="member")
    iam.add_user_to_group(GroupName="ops", UserName="member")
    member.list_clusters()
    iam.update_group(GroupName="ops", NewGroupName="operators", NewPath="/h/")
    member.list_clusters()
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="member")["Groups"]] == ["operators"]
    found = iam.get_group(GroupName="operators")
    assert found["Group"]["Arn"] == "arn:aws:iam::123456789012:group/h/operators"
    assert [u["UserName"] for u in found["Users"]] == ["member"]
    assert [g["GroupName"] for g in iam.list_groups(PathPrefix="/h/")["Groups"]] == ["operators"]
    assert iam.list_group_policies(GroupName="operators")["PolicyNames"] == ["read"]
    assert iam.get_group_policy(GroupName="operators", PolicyName="read")["PolicyDocument"] == json.loads(READ)
    aws = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    iam.attach_group_policy(GroupName="operators", PolicyArn=aws)
    assert len(iam.list_attached_group_policies(GroupName="operators")["AttachedPolicies"]) == 1
    in_use = "Cannot delete entity, must remove users from group first."
    assert refusal(iam.delete_group, GroupName="operators") == ("DeleteConflict", in_use)
    assert refusal(iam.delete_user, UserName="member")[0] == "DeleteConflict"
    iam.remove_user_from_group(GroupName="operators", UserName="member")
    assert refusal(iam.remove_user_from_group, GroupName="operators", UserName="member")[0] == "NoSuchEntity"
    assert refusal(member.list_clusters)[0] == "AccessDeniedException"
    assert refusal(iam.delete_group, GroupName="operators")[0] == "DeleteConflict"
    iam.detach_group_policy(GroupName="operators", PolicyArn=aws)
    iam.delete_group_policy(GroupName="operators", PolicyName="read")
    iam.delete_group(GroupName="operators")
    assert refusal(iam.get_group, GroupName="operators") == (
        "NoSuchEntity",
        "The group with name operators cannot be found.",
    )


def test_pages(iam: Any) -> None:
    """Every user once, in the order of names, however small the pages; a wrong marker is told."""
    for number in range(7):
        iam.create_user(UserName=f"page{number}", Path="/pages/")
    pages = iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3})
    sizes = [[user["UserName"] for user in page["Users"]] for page in pages]
    assert sizes == [["page0", "page1", "page2"], ["page3", "page4", "page5"], ["page6"]]
    assert refusal(iam.list_users, Marker="never-given-out") == ("ValidationError", "Invalid Marker.")


def test_the_account_in_numbers(iam: Any) -> None:
    """Counted; there are no aliases."""
    before = iam.get_account_summary()["SummaryMap"]
    iam.create_user(UserName="counted")
    after = iam.get_account_summary()["SummaryMap"]
    assert (after["Users"] - before["Users"], after["AccountAccessKeysPresent"]) == (1, 1)
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_what_users_do_not_have(iam: Any) -> None:
    """No password, no second factor, no other keys: who deletes a user with all that it has finds nothing."""
    iam.create_user(UserName="bare")
    assert iam.list_mfa_devices(UserName="bare")["MFADevices"] == []
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []
    assert iam.list_ssh_public_keys(UserName="bare")["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName="bare")["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName="bare")["ServiceSpecificCredentials"] == []
    none = ("NoSuchEntity", "Login Profile for User bare cannot be found.")
    assert refusal(iam.get_login_profile, UserName="bare") == none
    assert refusal(iam.delete_login_profile, UserName="bare") == none
    assert refusal(iam.list_mfa_devices, UserName="nobody")[0] == "NoSuchEntity"
    assert refusal(iam.list_ssh_public_keys, Marker="x")[0] == "ValidationError"
