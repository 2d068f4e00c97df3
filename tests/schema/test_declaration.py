"""Records of the registry on their way into a control: what could not be unpacked again is refused before."""

from __future__ import annotations

import json

import pytest

from detector.schema.declaration import MOST_NESTED, declaration_of, pack_declarations, unpack_declarations


def test_what_is_packed_comes_back() -> None:
    """Also a removal, and brackets within texts are no levels."""
    value = json.dumps({"agent_id": "a", "purpose": '[["{' * 40, "tools": [["x"]] * 20}).encode()
    records = [declaration_of(1, b"a", value), declaration_of(2, b"b", None)]
    assert unpack_declarations(pack_declarations(records)) == records


@pytest.mark.parametrize("levels", [MOST_NESTED, 996, 5_000])
def test_an_entry_nested_deep_is_refused_before_it_is_journaled(levels: int) -> None:
    """A reader's stack must not decide which records recovery can read."""
    with pytest.raises(ValueError, match="levels of lists and objects"):
        declaration_of(1, b"a", b'{"a":' + b"[" * levels + b"]" * levels + b"}")
    assert declaration_of(1, b"a", b'{"a":' + b"[" * (MOST_NESTED - 1) + b"]" * (MOST_NESTED - 1) + b"}")
