"""Made-up fleets with labelled attacks; the same seed gives the same bytes."""
