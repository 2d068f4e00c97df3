"""Cases as a SIEM writes them, to be varied by the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

AT_MS = 1_772_442_000_000


def case(uids: Sequence[str], verdict_id: int | str = 2, **changes: Any) -> bytes:
    """Return a closed case that names findings: OCSF 1.8.0 Incident Finding; None takes a field away."""
    body: dict[str, Any] = {
        "activity_id": 3, "category_uid": 2, "class_uid": 2005, "type_uid": 200503, "severity_id": 3, "time": AT_MS,
        "metadata": {"version": "1.8.0", "uid": "INC-17", "product": {"name": "a SIEM", "vendor_name": "v"}},
        "status_id": 5, "verdict_id": verdict_id, "comment": "seen it", "assignee": {"name": "kim"},
        "finding_info_list": [{"uid": uid, "title": "Unusual behaviour"} for uid in uids],
        **changes,
    }  # fmt: skip
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()
