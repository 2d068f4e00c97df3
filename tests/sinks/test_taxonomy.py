"""Names of ids: every id that a detection carries has one."""

from __future__ import annotations

from detector.channels.catalogue import CHANNELS, MODELS, ChannelEntry
from detector.rules import ENTRIES, RuleEntry
from detector.sinks.taxonomy import ATLAS, OWASP, atlas_name, atlas_technique, owasp_title


def test_every_id_of_a_catalogue_has_a_name() -> None:
    """Channels, models and rules: an id alone tells nobody at night what it is."""
    entries: list[ChannelEntry | RuleEntry] = [*CHANNELS, *MODELS, *ENTRIES.values()]
    ids = {uid for entry in entries for uid in entry.asi}
    techniques = {atlas_technique(uid) for entry in entries for uid in entry.atlas}
    assert ids
    assert techniques
    assert ids <= set(OWASP.names)
    assert techniques <= set(ATLAS.names)


def test_an_unknown_id_stands_alone() -> None:
    """Records of a newer worker carry ids that this version cannot name; no name is made up."""
    assert owasp_title("ASI77") == "ASI77"
    assert atlas_name("AML.T9999") is None
