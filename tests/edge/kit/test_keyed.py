"""What is left of a call's arguments on the wire."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.edge.kit.keyed import Redactor
from detector.errors import SetupError
from detector.schema.event import MAX_STRING

KEY = "0123456789abcdef" * 2
MAKE = Redactor(KEY)
DIGEST = r"h:[a-p]{16}"


@pytest.mark.parametrize(
    ("arguments", "form"),
    [
        ({"url": "https://me:pw@a.example:8443/v1/orders/17?k=s"}, rf"https://a\.example:8443/v1/{DIGEST}/{DIGEST}"),
        ({"url": "https://hooks.example.com/onlysegment"}, rf"https://hooks\.example\.com/{DIGEST}"),
        ({"url": "https://" + "a" * 40 + ".evil.example/x"}, rf"https://{DIGEST}\.evil\.example/{DIGEST}"),
        ({"file_path": "/etc/ssl/private.key"}, rf"/etc/{DIGEST}/{DIGEST}"),
        ({"path": "src/main.py"}, rf"src/{DIGEST}"),
        ({"command": "/usr/bin/curl -H 'Authorization: s3cret' https://x.example"}, rf"curl/{DIGEST}"),
        ({"command": "TOKEN=s3cret curl x"}, DIGEST),
        ({"cmd": ["git", "push", "origin"]}, rf"git/{DIGEST}"),
        ({"to": ["ann@corp.example", "bob@evil.example"]}, rf"{DIGEST}@corp\.example,{DIGEST}@evil\.example"),
        ({"host": "db.corp.example"}, r"db\.corp\.example"),
        ({"name": "John Smith"}, DIGEST),
        ({"filename": "customers.csv"}, DIGEST),
        ("ticket-12", DIGEST),
    ],
)  # fmt: skip
def test_a_place_is_coarse(arguments: dict[str, object] | str, form: str) -> None:
    """Host, first segment or program in clear; a credential, a name, a whole path never."""
    target = MAKE.target(arguments)
    assert target is not None
    assert re.fullmatch(form, target), target


def test_a_call_without_a_place_has_none() -> None:
    """A sentence is no place."""
    assert MAKE.target({"question": "where is it?"}) is None
    assert MAKE.target(None) is None


def test_the_way_to_a_file_is_told_apart_level_by_level() -> None:
    """Two files of a folder share its digest; the same name in another folder does not."""
    first, second, other = (MAKE.target({"path": path}) or "" for path in ("/srv/a1/x", "/srv/a1/y", "/srv/b1/x"))
    assert first.rsplit("/", 1)[0] == second.rsplit("/", 1)[0] != other.rsplit("/", 1)[0]
    assert first.rsplit("/", 1)[1] not in {second.rsplit("/", 1)[1], other.rsplit("/", 1)[1]}


def test_more_of_a_path_stays_in_clear_only_on_request() -> None:
    """The platform decides how much a path may say; the last segment never stays."""
    target = {"path": "/data/ann/notes/secret"}
    assert re.fullmatch(rf"/data/ann/notes/{DIGEST}", Redactor(KEY, clear_segments=3).target(target) or "")
    assert re.fullmatch(rf"/{DIGEST}/{DIGEST}/{DIGEST}/{DIGEST}", Redactor(KEY, clear_segments=0).target(target) or "")


def test_equal_values_are_equal_under_one_key_only() -> None:
    """What is new can be seen without being read; another key makes all of it new."""
    one, same, other = (Redactor(key).digest("bob@x.example") for key in (KEY, KEY, KEY[::-1]))
    assert one == same != other
    assert re.fullmatch(DIGEST, one)


def test_arguments_are_digests_item_by_item() -> None:
    """A list of recipients is compared item by item, as it would be in clear."""
    made = MAKE.attributes({"cc": ["ann@x", "bob@x"], "urgent": True, "amount": 12.5, "body": "long prose"}, None)
    assert made["arg.cc"] == f"{MAKE.digest('ann@x')},{MAKE.digest('bob@x')}"
    assert made["arg.urgent"] is True
    assert made["arg.amount"] == MAKE.digest("12.5")
    assert "arg.body" not in made


def test_a_number_stays_one_only_where_asked() -> None:
    """Amounts can be kept; a text of the same name cannot be smuggled out by it."""
    keep = Redactor(KEY, keep=["amount"])
    assert keep.attributes({"amount": 12.5}, None) == {"arg.amount": 12.5}
    assert keep.attributes({"amount": "s3cret"}, None) == {"arg.amount": keep.digest("s3cret")}


def test_a_name_that_is_none_is_a_digest() -> None:
    """A model may call a tool with names of its own making: they are content."""
    made = MAKE.attributes({"my password is hunter2": "x", "to": "y"}, None)
    assert "hunter2" not in str(made)
    assert len(made) == 2


def test_a_tool_that_a_model_made_up_of_prose_is_a_digest() -> None:
    """A program's names stay, of whatever library."""
    for name in ("send_mail", "mcp__shop__fetch", "resources/read", "functions.exec:v2"):
        assert MAKE.tool(name) == name
    for name in ("", "the password is hunter2", "x" * 129, "süß"):
        assert re.fullmatch(DIGEST, MAKE.tool(name))


@pytest.mark.parametrize("key", ["", "short", "x" * 31])
def test_a_short_key_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests without a key could be looked up."""
    monkeypatch.setenv("DETECTOR_KIT_KEY", key)
    with pytest.raises(SetupError, match="DETECTOR_KIT_KEY"):
        Redactor.from_environment()


@given(st.dictionaries(st.text(max_size=80), st.text(max_size=1_500) | st.floats() | st.lists(st.text()), max_size=20))
def test_whatever_a_model_writes_fits_the_schema(arguments: dict[str, object]) -> None:
    """Nothing that is written into arguments makes an event that would be refused."""
    target, attributes = MAKE.target(arguments), MAKE.attributes(arguments, None)
    for value in (target, *attributes, *attributes.values()):
        assert value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) <= MAX_STRING)
    assert "" not in attributes.values()


@given(st.text(alphabet="QZ0123456789", min_size=6, max_size=40))
def test_no_secret_stays_in_clear_wherever_it_stands(secret: str) -> None:
    """In a query, a path's end, a command line, a value, a name of a person."""
    for arguments in (
        {"url": f"https://x.example/a/{secret}?q={secret}"}, {"command": f"curl -u {secret} x"},
        {"path": f"/srv/{secret}"}, {"name": secret}, {"to": f"{secret}@x.example"}, {"other": secret},
    ):  # fmt: skip
        assert secret not in f"{MAKE.target(arguments)} {MAKE.attributes(arguments, None)}"


def test_a_domain_is_told_by_its_end_however_many_labels_stand_before_it() -> None:
    """A trusted host written in front of another's is neither the same place nor hidden."""
    places = [
        MAKE.target({"url": f"https://api.example.com.a.b.c.d.e.{end}/x"}) or "" for end in ("evil.com", "other.org")
    ]
    assert [urlsplit(one).netloc.rpartition(".e.")[2] for one in places] == ["evil.com", "other.org"]
