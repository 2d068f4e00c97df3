"""Our messages are the protocol's: bytes made by the classes that gRPC ships of Envoy's files (xds-protos 1.85)."""

from __future__ import annotations

import pytest

from detector.edge import wire
from detector.edge.callers import Trust, place_of
from detector.edge.gateways import Gateways
from detector.schema.command import Constraints
from tests.edge.questions import tool
from tests.edge.states import record, state
from tests.edge.test_point import Scene

ASKED = bytes.fromhex(
    "0aff010a240a0c0a0a120831302e302e302e3122147370696666653a2f2f612f6e732f622f73612f63227e127c0a03722d311204504f5354"
    "1a150a0e6d63702d73657373696f6e2d69641203732d311a120a0a782d6167656e742d6964120463692d3722042f6d637048315208485454"
    "502f312e3162327b226d6574686f64223a22746f6f6c732f63616c6c222c22706172616d73223a7b226e616d65223a226c6f6f6b7570227d"
    "7d52150a0e6465746563746f722e63616c6c7312036d63705a400a3e0a1c656e766f792e66696c746572732e687474702e6a77745f617574"
    "686e121e0a1c0a077061796c6f616412112a0f0a0d0a0373756212061a0463692d39"
)
"""A tool call with everything: peer, headers, body as bytes, a route's word, claims of a token."""
RAW_HEADER = bytes.fromhex("0a1a221812166a140a120a0a582d4167656e742d49641a0463692d38")
"""A header in the form of encode_raw_headers."""
REFUSED = bytes.fromhex(
    "0a0b0807120744656e6965642e122d0a0308930312220a200a0c636f6e74656e742d7479706512106170706c69636174696f6e2f6a736f6e"
    "1a027b7d22120a100a06616e7377657212061a04746f6f6c"
)


@pytest.mark.parametrize(
    ("place", "agent"),
    [
        ("principal", "spiffe://a/ns/b/sa/c"),
        ("header:x-agent-id", "ci-7"),
        ("metadata:envoy.filters.http.jwt_authn/payload/sub", "ci-9"),
    ],
)
def test_what_envoy_writes_is_read_in_every_place(place: str, agent: str) -> None:
    """Who calls, which tool, in which session; another agent's command leaves the call alone."""
    scene = Scene()
    scene.point.confirmed(1_000.0)
    gateways = Gateways(scene.point, Trust(agents=(place_of(place),)))
    rules = Constraints(deny_tools=("lookup",))
    scene.point.heard(*record(state(subject="default/agent/another", constraints=rules)))
    assert wire.CheckResponse.FromString(gateways.check(ASKED)).status.code == 0
    scene.point.heard(*record(state(subject=f"default/agent/{agent}", constraints=rules)))
    assert wire.CheckResponse.FromString(gateways.check(ASKED)).status.code == 7
    told = scene.acks[-1]
    assert (told.tool, told.session_id, told.product) == ("lookup", "s-1", "envoy")


def test_a_raw_header_names_the_agent_too() -> None:
    """Envoy puts headers in one of two fields, by its setting."""
    scene = Scene()
    scene.point.confirmed(1_000.0)
    scene.point.heard(*record(state(subject="default/agent/ci-8")))
    gateways = Gateways(scene.point, Trust(agents=(place_of("header:x-agent-id"),)))
    assert wire.CheckResponse.FromString(gateways.check(RAW_HEADER)).status.code == 7


def test_what_we_answer_is_what_envoy_reads() -> None:
    """To the byte, a refusal with a header, a body and metadata, and a pass."""
    refused = wire.CheckResponse()
    refused.status.code, refused.status.message, refused.denied.status.code = 7, "Denied.", 403
    refused.denied.headers.add().header.MergeFromString(b"\x0a\x0ccontent-type\x12\x10application/json")
    refused.denied.body = "{}"
    refused.metadata.update({"answer": "tool"})
    assert refused.SerializeToString(deterministic=True) == REFUSED
    scene = Scene()
    scene.point.confirmed(1_000.0)
    assert Gateways(scene.point, Trust()).check(ASKED) == bytes.fromhex("0a001a00")


def test_a_header_that_is_no_utf_8_hides_nobody() -> None:
    """One wrong byte in any header would make a message of texts unreadable."""
    asked = wire.CheckRequest()
    asked.attributes.source.principal = b"ci-7"
    asked.attributes.request.http.headers.add(key=b"x-\xff", value=b"\xff\xfe")
    asked.attributes.request.http.body = str(tool("lookup")).encode()
    scene = Scene()
    scene.point.confirmed(1_000.0)
    scene.point.heard(*record(state(subject="default/agent/ci-7")))
    told = wire.CheckResponse.FromString(Gateways(scene.point, Trust()).check(asked.SerializeToString()))
    assert told.status.code == 7
    assert scene.acks[-1].status == "denied"
