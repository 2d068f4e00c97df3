"""Values of a tool's arguments: free text, categories and amounts, with the place each value usually comes from."""

from __future__ import annotations

from collections.abc import Callable

from detector.simulate.targets import Scene
from detector.simulate.words import NOUNS, STEMS, phrase, word

Value = str | int | float
Maker = Callable[[Scene, str | None], Value]


def _one_of(*values: str) -> Maker:
    def make(scene: Scene, _target: str | None) -> Value:
        return values[scene.chance.popular(len(values), 2.0)]

    return make


def _count(*values: int) -> Maker:
    def make(scene: Scene, _target: str | None) -> Value:
        return values[scene.chance.popular(len(values), 1.5)]

    return make


def _amount(median: float, sigma: float, digits: int = 0) -> Maker:
    def make(scene: Scene, _target: str | None) -> Value:
        drawn = scene.chance.around(median, sigma)
        return round(drawn, digits) if digits else int(drawn) + 1

    return make


def _text(scene: Scene, _target: str | None) -> Value:
    return phrase(scene.chance)


def _subject(scene: Scene, _target: str | None) -> Value:
    return f"Re: {NOUNS[scene.item % len(NOUNS)]} {NOUNS[scene.chance.below(len(NOUNS))]}"


def _url(scene: Scene, target: str | None) -> Value:
    path = NOUNS[scene.chance.popular(len(NOUNS))]
    return f"https://{target or 'localhost'}/{path}/{scene.chance.popular(400)}"


def _sql(scene: Scene, target: str | None) -> Value:
    noun, trait = NOUNS[scene.chance.popular(len(NOUNS))], NOUNS[scene.chance.popular(len(NOUNS))]
    least = scene.chance.below(90)
    return f"select {noun}, count(*) from {target} where {trait} > {least} group by 1"  # noqa: S608 - never run


def _package(scene: Scene, _target: str | None) -> Value:
    if scene.chance.random() < 0.05:
        return f"{STEMS[scene.item % len(STEMS)]}-{word(scene.item)}"
    return word(scene.chance.popular(160) * 37)


def _sku(scene: Scene, _target: str | None) -> Value:
    return f"sku-{10000 + scene.chance.popular(3000, 1.5)}"


def _branch(scene: Scene, _target: str | None) -> Value:
    return f"fix/{NOUNS[scene.thing % len(NOUNS)]}-{scene.item % 9000}"


def _release(scene: Scene, _target: str | None) -> Value:
    return f"r{scene.day}.{scene.chance.below(4)}"


ARGUMENTS: dict[str, tuple[Maker, str]] = {
    "query": (_text, "none"),
    "question": (_text, "none"),
    "text": (_text, "none"),
    "reason": (_text, "none"),
    "topic": (_text, "none"),
    "subject": (_subject, "none"),
    "url": (_url, "user"),
    "sql": (_sql, "none"),
    "package": (_package, "user"),
    "sku": (_sku, "tool"),
    "branch": (_branch, "user"),
    "release": (_release, "tool"),
    "fields": (_one_of("summary", "all", "status", "owner", "history"), "none"),
    "field": (_one_of("address", "manager", "grade", "leave"), "user"),
    "section": (_one_of("overview", "steps", "limits", "contact"), "none"),
    "status": (_one_of("resolved", "open", "waiting", "escalated"), "none"),
    "template": (_one_of("reply", "apology", "refund", "follow-up"), "none"),
    "suite": (_one_of("unit", "all", "integration", "lint"), "none"),
    "method": (_one_of("GET", "POST", "GET", "PUT"), "none"),
    "style": (_one_of("short", "bullets", "table", "long"), "none"),
    "currency": (_one_of("EUR", "USD", "GBP"), "user"),
    "account": (_one_of("4000", "4400", "6100", "7000"), "user"),
    "period": (_one_of("month", "quarter", "week", "year"), "user"),
    "format": (_one_of("html", "pdf", "csv"), "user"),
    "limit": (_count(10, 20, 50, 100), "none"),
    "lines": (_amount(80, 0.8), "none"),
    "chars": (_amount(900, 0.7), "none"),
    "body_chars": (_amount(600, 0.6), "none"),
    "pages": (_amount(6, 0.6), "none"),
    "rows": (_amount(400, 1.1), "none"),
    "pixels": (_count(800, 1024, 1600), "none"),
    "minutes": (_count(15, 30, 60, 240), "none"),
    "replicas": (_count(2, 3, 4, 6, 8), "none"),
    "quantity": (_count(1, 2, 3, 5), "user"),
    "port": (_count(443, 5432, 8080, 9090), "none"),
    "timeout_s": (_count(60, 300, 900), "none"),
    "ttl_s": (_count(300, 900, 3600), "none"),
    "amount": (_amount(140, 0.9, 2), "tool"),
}
"""Argument -> how a value is drawn, and where it usually comes from."""
