"""Events out of order are counted where it matters."""

from __future__ import annotations

from detector.offline.order import OrderCheck


def test_one_event_with_a_wrong_year_does_not_make_all_others_late() -> None:
    """It counts as newer by at most a step, as for the pipeline's clock."""
    check = OrderCheck(1_800.0, 3_600.0)
    for at in (10_000.0, 9e9, *(10_000.0 + 1_000.0 * n for n in range(1, 20))):
        check.note(at)
    assert (check.late, check.largest_s) == (1, 2_600.0)


def test_an_event_without_a_time_is_passed_over() -> None:
    """It is refused elsewhere, for that reason."""
    check = OrderCheck(1_800.0)
    for at in (10_000.0, 0.0, 10_001.0):
        check.note(at)
    assert check.late == 0
