"""Zones as rules of a cluster: valid by the published schemas, and saying what was declared, no more and no less."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from detector.errors import SetupError
from detector.registry.zones.istio import authorization_policies, istio_notes
from detector.registry.zones.networkpolicy import NAMESPACE_LABEL, network_notes, network_policies
from detector.registry.zones.places import Isolated, Manifest, account_of, kept_of, object_name, pages_of, pod_of
from tests.registry.zones.declared import PAYING, ZONES, declaration

SCHEMAS = Path(__file__).parent / "schemas"
AGENT = Isolated("Shop 1", declaration().zones[0], pod_of("app=shop-1"), ("agents-front", "shop"), ("kube-system",))


def _strict(schema: Any) -> Any:
    """Return a custom resource's schema that refuses unknown fields, as the API server does under strict validation."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _strict(value) for name, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object" and "additionalProperties" not in schema:
        made["additionalProperties"] = False
    return made


def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    if name.startswith("authorization"):
        # what every resource has besides; the resource's own schema leaves it to the API server
        schema["properties"] |= {name: {"type": "string"} for name in ("apiVersion", "kind")} | {"metadata": {}}
        schema = _strict(schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


NETWORK, ISTIO = _validator("networkpolicy-1.37.json"), _validator("authorizationpolicy-1.30.json")


def _written(manifests: Iterable[Manifest], notes: Iterable[str] = ()) -> list[Any]:
    """Return manifests as whoever reads the file sees them."""
    text = "\n".join(pages_of(manifests, notes))
    return list(yaml.safe_load_all(text))


def _faults(validator: Draft202012Validator, documents: Iterable[Any]) -> list[str]:
    return [f"{one['metadata']['name']}: {fault.message}" for one in documents for fault in validator.iter_errors(one)]


def _sources(policy: Any) -> list[str]:
    peers = policy["spec"]["ingress"][0]["from"]
    return [peer["namespaceSelector"]["matchLabels"][NAMESPACE_LABEL] for peer in peers]


@pytest.mark.parametrize("isolated", [None, AGENT, AGENT._replace(keep=())])
@pytest.mark.parametrize("closes_egress", [True, False])
def test_network_policies_are_valid(isolated: Isolated | None, closes_egress: bool) -> None:
    """By Kubernetes' own schema, unknown fields refused."""
    found = _written(network_policies(declaration(), isolated, closes_egress=closes_egress))
    assert _faults(NETWORK, found) == []
    assert {one["apiVersion"] for one in found} == {"networking.k8s.io/v1"}
    assert len({(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found}) == len(found)


@pytest.mark.parametrize("isolated", [None, AGENT, AGENT._replace(keep=())])
def test_authorization_policies_are_valid(isolated: Isolated | None) -> None:
    """By Istio's own schema, unknown fields refused."""
    found = _written(authorization_policies(declaration(), isolated))
    assert _faults(ISTIO, found) == []
    assert {one["apiVersion"] for one in found} == {"security.istio.io/v1"}
    assert len({(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found}) == len(found)


def test_the_schemas_refuse_what_is_wrong() -> None:
    """Or the laws above say nothing."""
    network, istio = _written(network_policies(declaration()))[0], _written(authorization_policies(declaration()))[0]
    for validator, document, field, value in (
        (NETWORK, network, "policyTypes", "Ingress"),
        (NETWORK, network, "ingres", []),
        (NETWORK, network, "podSelector", {"matchLabel": {}}),
        (ISTIO, istio, "action", "REFUSE"),
        (ISTIO, istio, "rule", []),
        (ISTIO, istio, "rules", [{"from": [{"source": {"namespace": ["a"]}}]}]),
    ):
        assert _faults(validator, [{**document, "spec": {**document["spec"], field: value}}]) != [], field


def test_a_zone_is_reached_from_itself_and_from_who_may_cross_into_it() -> None:
    """In each of its namespaces alike; the other direction of a crossing is none."""
    fronts, backs, labs = ["agents-front", "agents-edge"], ["back"], ["lab"]
    wanted = {"agents-front": fronts, "agents-edge": fronts, "back": [*backs, *fronts], "lab": [*labs, *fronts, *backs]}
    network = _written(network_policies(declaration()))
    assert {one["metadata"]["namespace"]: _sources(one) for one in network} == wanted
    istio = _written(authorization_policies(declaration()))
    rules = {one["metadata"]["namespace"]: one["spec"]["rules"] for one in istio}
    assert {name: found[0]["from"][0]["source"]["namespaces"] for name, found in rules.items()} == wanted
    assert {one["spec"]["action"] for one in istio} == {"ALLOW"}


def test_egress_is_closed_only_where_that_is_asked_for() -> None:
    """Else a zone would lose its models; then names (DNS) stay, and the zones it may cross into."""
    assert all("egress" not in one["spec"] for one in _written(network_policies(declaration())))
    closed = _written(network_policies(declaration(), closes_egress=True))
    (back,) = [one["spec"]["egress"] for one in closed if one["metadata"]["namespace"] == "back"]
    assert [len(back[0]["to"]), back[1]["ports"][0]] == [2, {"protocol": "UDP", "port": 53}]


def test_an_isolated_agent_is_in_no_policy_that_allows_it_anything() -> None:
    """Policies add up: its pods are taken out of their zone's, and have one that allows what is kept alone."""
    found = _written(network_policies(declaration(), AGENT))
    zone = [one["spec"]["podSelector"] for one in found if one["metadata"]["name"] == "zone-front"]
    others = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["shop-1"]}]}
    assert zone == [others, others]
    own = [one for one in found if one["metadata"]["name"].startswith("isolate")]
    assert [one["metadata"]["namespace"] for one in own] == ["agents-front", "agents-edge"]
    assert own[0]["spec"]["podSelector"] == {"matchLabels": {"app": "shop-1"}}
    assert (own[0]["spec"]["policyTypes"], own[0]["spec"]["ingress"]) == (["Ingress", "Egress"], [])
    assert [_kept(one) for one in own] == [["kube-system"], ["kube-system"]]
    bare = _written(network_policies(declaration(), AGENT._replace(keep=())))
    assert bare[-1]["spec"]["egress"] == []


def _kept(policy: Any) -> list[str]:
    peers = policy["spec"]["egress"][0]["to"]
    return [peer["namespaceSelector"]["matchLabels"][NAMESPACE_LABEL] for peer in peers]


def test_istio_denies_an_isolated_agent_on_both_sides() -> None:
    """Its requests in every zone but what is kept, whatever the trust domain; and all requests to its pods."""
    found = _written(authorization_policies(declaration(), AGENT._replace(keep=("lab",))))
    denying = [one for one in found if one["spec"]["action"] == "DENY"]
    taking = [one for one in denying if "selector" not in one["spec"]]
    assert [one["metadata"]["namespace"] for one in taking] == ["agents-front", "agents-edge", "back"]
    assert taking[0]["spec"]["rules"] == [{"from": [{"source": {"principals": ["*/ns/agents-front/sa/shop"]}}]}]
    own = [one["spec"] for one in denying if "selector" in one["spec"]]
    assert own == [{"selector": {"matchLabels": {"app": "shop-1"}}, "action": "DENY", "rules": [{}]}] * 2
    with pytest.raises(SetupError, match="must be said as NAMESPACE/NAME"):
        list(authorization_policies(declaration(), AGENT._replace(account=None)))


@pytest.mark.parametrize(("agent", "said"), [("claude-code/alice", None), ("shop-1", "back/shop")])
def test_an_account_outside_of_the_zone_of_an_isolated_agent_is_refused(agent: str, said: str | None) -> None:
    """Policies that deny an account nobody has cut nothing, and look as if they did; one of the zone is taken."""
    made = AGENT._replace(agent=agent, account=account_of(said, agent))
    with pytest.raises(SetupError, match=r"a namespace of its zone, agents-front, agents-edge, got"):
        list(authorization_policies(declaration(), made))
    inside = AGENT._replace(agent="agents-edge/shop", account=account_of(None, "agents-edge/shop"))
    assert "*/ns/agents-edge/sa/shop" in str(list(authorization_policies(declaration(), inside)))


def test_what_a_form_cannot_say_stands_in_it_as_a_comment() -> None:
    """Limits by tool and kind; whatever a tool's name is, it stays a comment."""
    zones = declaration(crossings=[{**PAYING, "tools": ["pay\n- bad"]}])
    for notes in (list(network_notes(zones)), list(istio_notes(zones))):
        assert "front -> back is allowed for tools pay\\n- bad; kinds tool_call only" in notes[-1]
        text = "\n".join(pages_of([], notes))
        assert yaml.safe_load(text) is None


def test_zones_that_a_cluster_cannot_tell_apart_are_refused() -> None:
    """A name that is no namespace, and a namespace of two zones."""
    with pytest.raises(SetupError, match="namespaces of zone Front_1 must be said"):
        list(network_policies(declaration(zones=[{"name": "Front_1"}], crossings=[])))
    shared = [ZONES[0], {**ZONES[1], "namespaces": ["agents-edge"]}, ZONES[2]]
    with pytest.raises(SetupError, match="got agents-edge in front and back"):
        list(authorization_policies(declaration(zones=shared)))


@pytest.mark.parametrize("text", ["", "app", "app=", "=x", "app=a b", "a/b/c=x", "app=-x", "app=" + "x" * 64])
def test_what_is_no_label_is_refused(text: str) -> None:
    """Nothing of it reaches a manifest."""
    with pytest.raises(SetupError, match="pod of the agent must be a label"):
        pod_of(text)


def test_names_that_kubernetes_takes() -> None:
    """Of ids that are none a digest tells one from another; accounts come from such ids as Kubernetes' import makes."""
    names = [object_name("isolate", one) for one in ("shop-1", "Shop-1", "shop_1", "-", "x" * 300)]
    assert len(set(names)) == len(names)
    assert all(len(one) <= 63 and pod_of(f"app={one}") for one in names)
    assert account_of(None, "agents/shop") == ("agents", "shop")
    assert (account_of(None, "shop-1"), account_of("a/b", "shop-1")) == (None, ("a", "b"))
    with pytest.raises(SetupError, match="service-account"):
        account_of("a/B*", "shop-1")
    with pytest.raises(SetupError, match="keep of an isolated agent"):
        kept_of(["a b"])
