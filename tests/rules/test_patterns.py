"""What a declared name matches, and what it does not."""

from __future__ import annotations

import pytest

from detector.rules.patterns import Patterns


def test_a_plain_name_is_itself_and_nothing_else() -> None:
    """Signs that mean something in expressions mean nothing in a name; case counts."""
    names = Patterns(["a.b", "(x", "A+"])
    assert [names.allows(one) for one in ("a.b", "(x", "A+")] == [True] * 3
    assert not any(names.allows(one) for one in ("axb", "a.b2", "", "A", "a+", "x"))


def test_a_star_matches_any_run_from_end_to_end() -> None:
    """Also an empty one and one with line ends; what stands before and behind it must be there."""
    names = Patterns(["https://*.example.com/*", "*!"])
    found = ("https://api.example.com/", "https://a.b.example.com/x\ny", "!", "what?!")
    assert [names.allows(one) for one in found] == [True] * 4
    assert not any(names.allows(one) for one in ("https://example.org/?https://a.example.com", "!?"))


def test_an_expression_must_match_from_end_to_end() -> None:
    """Alternatives of one expression do not reach into the next, and its flags stay with it."""
    names = Patterns(["re:get|set", "re:(?i)put", "Post*"])
    assert [names.allows(one) for one in ("get", "set", "PUT", "Post1")] == [True] * 4
    assert not any(names.allows(one) for one in ("getx", "xset", "GET", "post1"))


@pytest.mark.parametrize("bad", ["re:(", "re:a)|(b", r"re:(a)\1", "re:(?=a)", "re:((a{100}){100}){100}", "re:a\ud800"])
def test_what_re2_refuses_is_named(bad: str) -> None:
    """An expression that needs going back over the text, or that is too large, is no pattern."""
    with pytest.raises(ValueError, match="RE2 refuses"):
        Patterns(["fine", bad])


def test_expressions_that_are_too_large_together_are_refused() -> None:
    """Each of them alone may be small enough."""
    assert Patterns([r"re:\pL{20}"]).allows("x" * 20)
    with pytest.raises(ValueError, match="all together"):
        Patterns([rf"re:{number}\pL{{20}}" for number in range(256)])


def test_nothing_declared_allows_nothing() -> None:
    """An empty list is a list; half a character is no name."""
    assert not Patterns([]).allows("x")
    assert not Patterns(["x*"]).allows("x\ud800")
