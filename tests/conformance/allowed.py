"""
The cases that we let off, each with the reason. A test fails if one of them passes.

What a reason says of the models that we serve is itself tested: test_served_models.py.
"""

from __future__ import annotations

_COMPRESSED = "says nothing of a body: it is about a client that compresses, and nothing that we serve asks it to"
_NOT_SENT = "a client does not send what is empty, so the server sees that it is absent"
_JSON_NUMBERS = "no JSON member that we serve can mean NaN or an infinity; a string where a number is due is refused"
_JSON_TIMES = "no JSON member that we serve has a time in another format than seconds since the epoch"
_OTHER_NAME = "botocore lets it off too: it takes the items' name where these cases take the list's"
_ERROR_MEMBERS = "botocore lets it off too, and no error that we serve by XML has members"
_TRANSLATED = "no service that we serve was translated from query to JSON and kept the old codes"

INPUT: dict[str, str] = {
    **{
        f"{name}_{protocol}": _COMPRESSED
        for name in ("SDKAppliedContentEncoding", "SDKAppendsGzipAndIgnoresHttpProvidedEncoding")
        for protocol in ("awsJson1_0", "awsJson1_1", "awsQuery", "ec2Query")
    },
    **{
        f"AwsJson{version}Supports{number}FloatInputs": _JSON_NUMBERS
        for version in ("10", "11")
        for number in ("NaN", "Infinity", "NegativeInfinity")
    },
    "serializes_timestamp_shapes_with_iso8601_timestampformat": _JSON_TIMES,
    "serializes_timestamp_shapes_with_httpdate_timestampformat": _JSON_TIMES,
    "Ec2EmptyQueryLists": _NOT_SENT,
    "QueryEmptyQueryMaps": _NOT_SENT,
    "QueryFlattenedListArgWithXmlName": _OTHER_NAME,
}
OUTPUT: dict[str, str] = {
    **{
        f"AwsJson{version}Supports{number}FloatInputs": _JSON_NUMBERS
        for version in ("10", "11")
        for number in ("NaN", "Infinity", "NegativeInfinity")
    },
    "QueryXmlLists": _OTHER_NAME,
    "Ec2XmlLists": _OTHER_NAME,
    "QueryComplexError": _ERROR_MEMBERS,
    "Ec2ComplexError": _ERROR_MEMBERS,
    "QueryCompatibleAwsJson10CustomCodeError": _TRANSLATED,
}
