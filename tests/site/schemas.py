"""The page that lists the published schemas with their fields."""

from __future__ import annotations

from typing import Any, Final

from detector.schema.publish import Schema, schemas
from tests.site.reference import opening

WORDS: Final = """
JSON Schema, draft 2020-12, made of the code; the files hold what is below the first level too. Reasons for which a
record is refused: [reasons.md](reasons.md).
"""


def schemas_page() -> str:
    """Return every schema with its fields at the top: which are required, of what kind, and what they say."""
    lines = opening("Schemas of what crosses a wire", WORDS)
    lines += ["| file | describes |", "|---|---|"]
    lines += [f"| [{name}]({name}) | [{_title(one)}](#{name.replace('.', '')}) |" for name, one in schemas().items()]
    for name, one in schemas().items():
        lines += ["", f"## {name}", "", f"{_title(one)}.", "", *_fields(one)]
    return "\n".join(lines) + "\n"


def _fields(schema: Schema) -> list[str]:
    """Return the table of a schema's fields, or the names of the alternatives it consists of."""
    if "properties" not in schema:
        names = [str(one["$ref"]).rpartition("/")[2] for one in schema["oneOf"]]
        lines = [f"One of {', '.join(f'`{name}`' for name in names)}."]
        for name in names:
            lines += ["", f"### {name}", "", *_fields(schema["$defs"][name])]
        return lines
    required = set(schema.get("required", ()))
    fields: dict[str, dict[str, Any]] = schema["properties"]
    head = ["field", "required", "kind", *(["says"] if any(map(_said, fields.values())) else [])]
    rows = [
        [f"`{name}`", "yes" if name in required else "", _kind(one), _said(one)][: len(head)]
        for name, one in fields.items()
    ]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _title(schema: Schema) -> str:
    """Return a title whose placeholders no reader of Markdown takes for tags."""
    return str(schema["title"]).replace("<", "&lt;").replace(">", "&gt;")


def _kind(field: dict[str, Any]) -> str:
    """Return in words what a field holds."""
    if "anyOf" in field or "oneOf" in field:
        return " or ".join(_kind(one) for one in field.get("anyOf") or field["oneOf"])
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    kind = str(field.get("type", "any"))
    return f"array of {_kind(field['items'])}" if kind == "array" and field.get("items") else kind


def _said(field: dict[str, Any]) -> str:
    return " ".join(str(field.get("description", "")).split()).replace("|", "\\|")
