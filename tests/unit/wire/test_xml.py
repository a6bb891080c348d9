"""Answers as XML: whatever text is in them, they can be read."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.api import ec2
from tidegate.wire.xml import XmlWriter

WRITER = XmlWriter(ec2.MEMBERS)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How busy the machine is decides nothing."""


def written(group: ec2.SecurityGroup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<a>{WRITER.structure('SecurityGroup', group)}</a>")


def test_absent_members_are_not_written_and_empty_lists_are() -> None:
    """So a client tells the two apart."""
    found = written(ec2.SecurityGroup(group_id="sg-1", tags=()))
    assert {item.tag: item.text for item in found} == {"groupId": "sg-1", "tagSet": None}


def test_truth_values_and_lists() -> None:
    """true and false; an element `item` around each of a list's."""
    permission = ec2.IpPermission(from_port=80, ip_ranges=(ec2.IpRange(cidr_ip="0.0.0.0/0"),))
    found = written(ec2.SecurityGroup(ip_permissions=(permission,)))
    assert found.findtext("ipPermissions/item/ipRanges/item/cidrIp") == "0.0.0.0/0"
    rule = ElementTree.fromstring(
        f"<a>{WRITER.structure('SecurityGroupRule', ec2.SecurityGroupRule(is_egress=False))}</a>"
    )
    assert rule.findtext("isEgress") == "false"


@PATIENT
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
def test_text_comes_back_as_it_was(text: str) -> None:
    """Markup and line ends included."""
    for probe in (text, text + "\r\n\t<&>\"'"):
        assert (written(ec2.SecurityGroup(description=probe)).findtext("groupDescription") or "") == probe


@PATIENT
@given(text=st.text(st.characters(categories=["Cc", "Cs"]), min_size=1))
def test_what_xml_cannot_write_does_not_break_the_answer(text: str) -> None:
    """It is replaced, character by character."""
    found = written(ec2.SecurityGroup(description=text)).findtext("groupDescription")
    assert found is not None
    assert len(found) == len(text)
