"""Which agent a request is judged as: places, tenants, caps, and settings that are none."""

from __future__ import annotations

import pytest

from detector.edge.callers import MOST_SUBJECTS, CallTold, Trust, place_of
from detector.errors import SetupError


@pytest.mark.parametrize(
    "text", ["", "peer", "header:", "header:x y", "metadata:", "metadata:a//b", "principal:x", "jwt:sub"]
)
def test_a_place_that_is_none_is_refused_with_what_it_may_be(text: str) -> None:
    """At the start, and not by denying every call later."""
    with pytest.raises(SetupError, match="header:NAME or metadata:KEY/KEY"):
        place_of(text)


def test_names_are_found_where_gateways_put_them() -> None:
    """The certificate's name, a header in any case, a claim of a token in the filter's metadata."""
    told = CallTold(
        "spiffe://a/ns/b", {"x-agent": ["one"]}, {"envoy.filters.http.jwt_authn": {"payload": {"sub": "two"}}}
    )
    places = ["principal", "header:X-Agent", "metadata:envoy.filters.http.jwt_authn/payload/sub", "metadata:none/sub"]
    trust = Trust(agents=tuple(map(place_of, places)))
    assert trust.subjects(told) == ("default/agent/spiffe://a/ns/b", "default/agent/one", "default/agent/two")


@pytest.mark.parametrize("value", [7, None, True, ["a"], {"sub": {}}, ""])
def test_metadata_that_holds_no_text_names_nobody(value: object) -> None:
    """A claim may be a number or a list: no name is made up from it."""
    assert Trust(agents=(place_of("metadata:sub"),)).subjects(CallTold(metadata={"sub": value})) == ()


def test_a_call_is_asked_under_every_tenant_that_is_set_or_told() -> None:
    """A slash in a tenant is written as in the subjects of commands."""
    trust = Trust((place_of("principal"),), ("acme",), (place_of("header:x-team"),))
    told = CallTold("ci-7", {"x-team": ["red/blue"]})
    assert trust.subjects(told) == ("acme/agent/ci-7", "red%2Fblue/agent/ci-7")


def test_of_however_many_names_one_more_is_made_than_are_judged() -> None:
    """An agent that can add to a trusted header is denied for it, and fills neither memory nor time."""
    trust = Trust(agents=(place_of("principal"), place_of("header:x-agent")))
    told = CallTold("ci-7", {"x-agent": [",".join(f"n{number}" for number in range(10_000))]})
    found = trust.subjects(told)
    assert len(found) == MOST_SUBJECTS + 1
    assert found[0] == "default/agent/ci-7"
    assert max(map(len, found)) < 2_000
    many = CallTold(headers={"x-agent": [",".join(f"n{k}" for k in range(20_000))], "x-team": [",".join("ab" * 9_999)]})
    teams = Trust(agents=trust.agents, tenants_from=(place_of("header:x-team"),))
    assert len(teams.subjects(many)) == MOST_SUBJECTS + 1
