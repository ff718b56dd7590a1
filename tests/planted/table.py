"""The table: each bug, what it breaks, and which runs must see it. A run is a storm or a named test of the suite.

`twin` is a second guard that covers the first: the bug is planted with it disabled, and alone as well; `alone` says whether it is
seen then, too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes.exchange.faults import Window
from tests.planted import of_the_book as book
from tests.planted import of_the_duties as duties
from tests.planted import of_the_venues as venues
from tests.planted.planting import Planted
from tests.storms.live_storm import weathered
from tests.storms.test_storm_live import PLANTED, window

LIVE, BOOK, CORE, VENUES = "tests/engine/live/", "tests/engine/book/", "tests/engine/core/", "tests/venues/"


class StormRun(NamedTuple):
    """A short storm under the virtual clock; the violation that it must report begins with or holds `law`."""

    law: str
    plan: Sequence[Window] = ()
    venue: str = "port-okx"
    seed: int = 3
    bars: int = 20
    more: Any = ()

    def __str__(self) -> str:
        kinds = sorted({one.kind for one in self.plan}) or ["no fault"]
        return f"storm {self.venue}, {', '.join(kinds)}: {self.law.strip()}"

    def wrong(self, folder: Path) -> list[str]:
        """What did not hold. Raises what ends the run."""
        storm = weathered(self.venue, folder / "desk.jsonl", self.seed, self.bars, self.plan, 6, **dict(self.more))
        return storm.wrong


class PlantedBug(NamedTuple):
    """`breaks`: an invariant of RELIABILITY (I...) or a story (F...); `caught_by`: storms, and ids of tests."""

    plant: Planted
    breaks: str
    caught_by: tuple[StormRun | str, ...]
    twin: Planted | None = None
    alone: bool = True

    @property
    def name(self) -> str:
        """Its function's."""
        return self.plant.__name__


OF_THE_BOOK = (
    PlantedBug(
        book.execution_is_booked_again,
        "I5 F5",
        (
            StormRun("I5", [window("list_twice", 2, 12)]),
            BOOK + "test_late_reports.py::test_an_execution_is_booked_once_however_late_it_is_told_again",
        ),
        book.poll_books_what_is_booked,
    ),
    PlantedBug(
        book.stop_keeps_its_first_size,
        "I12 F8",
        (CORE + "test_orders.py::test_a_protective_order_follows_its_level_and_its_lots",),
    ),
    PlantedBug(
        book.late_word_opens_an_ended_order, "I5 F6", (CORE + "test_orders.py::test_no_report_opens_an_ended_order_again",)
    ),
    PlantedBug(book.part_is_the_whole, "I3 I5", (CORE + "test_orders.py",)),
    PlantedBug(book.doubt_is_no_exposure, "I8 F3", (CORE + "test_orders.py::test_every_entry_that_may_still_fill_counts",)),
    PlantedBug(book.ids_begin_anew_after_a_restart, "I3 F4", (StormRun("I3", more=(("kills", tuple(range(20, 160, 7))),)),)),
    PlantedBug(
        book.funding_is_booked_again,
        "I19",
        (LIVE + "test_live_poll.py::test_funding_is_booked_once_by_the_venues_bill",),
        book.poll_bills_again,
        alone=False,
    ),
    PlantedBug(
        book.trail_loosens_the_stop, "F8", (CORE + "test_exits.py::test_a_trail_that_is_wider_than_the_stop_does_not_loosen_it",)
    ),
    PlantedBug(
        book.adopted_whatever_is_held_by_now, "I6 I16", (BOOK + "test_adoption.py::test_what_does_not_fit_changes_nothing",)
    ),
    PlantedBug(
        book.resting_entries_never_end, "I10", (LIVE + "test_live_desk.py::test_an_entry_that_has_rested_its_time_is_cancelled",)
    ),
    PlantedBug(book.tried_for_ever, "I9 F1", (LIVE + "test_tries.py::test_a_refused_exit_is_tried_ten_times_with_pauses",)),
    PlantedBug(
        book.given_up_for_good,
        "I12",
        (LIVE + "test_tries.py::test_a_layer_whose_orders_were_all_in_vain_is_tried_again_at_each_close",),
    ),
    PlantedBug(
        book.moved_for_ever,
        "I9",
        (BOOK + "test_refused_amendments.py::test_it_is_asked_ten_times_and_the_stop_that_works_stays",),
    ),
    PlantedBug(book.attached_stop_sleeps_on, "I12", (StormRun("I5"),)),
    PlantedBug(book.plans_against_a_doubt, "I4", (CORE + "test_orders.py::test_nothing_is_planned_against_an_order_in_doubt",)),
)
OF_THE_DUTIES = (
    PlantedBug(
        duties.parents_are_not_asked,
        "I5",
        (LIVE + "test_live_poll.py::test_an_execution_is_nobodys_only_once_every_parent_has_answered",),
    ),
    PlantedBug(duties.exit_without_an_answer_is_sent_anew, "I3 I4 F3", (StormRun("I4", [window("timeout_after", 2, 12)]),)),
    PlantedBug(
        duties.cancel_without_an_answer_is_an_end,
        "I4 F6",
        (LIVE + "test_live_desk.py::test_a_cancellation_without_an_answer_is_no_end",),
        duties.left_behind_is_left,
    ),
    PlantedBug(
        duties.turned_away_entry_goes_out_again,
        "I10",
        (LIVE + "test_live_desk.py::test_what_the_venue_turned_away_goes_out_again_under_the_same_id",),
    ),
    PlantedBug(
        duties.latch_is_read_once,
        "I1 F7",
        (LIVE + "test_live_halt.py::test_an_entry_that_waits_as_the_latch_is_set_does_not_leave",),
        duties.book_does_not_hear_of_a_halt,
        alone=False,
    ),
    PlantedBug(
        duties.old_entry_leaves, "I10 F9", (LIVE + "test_live_desk.py::test_an_entry_that_was_decided_long_ago_is_not_sent",)
    ),
    PlantedBug(
        duties.entry_leaves_beside_a_doubt, "I4 F3", (LIVE + "test_live_desk.py::test_an_entry_waits_for_an_order_in_doubt",)
    ),
    PlantedBug(
        duties.not_found_counts_at_once,
        "I4 F3",
        (StormRun("I4", [window("late", 2, 4)]),),
        duties.unread_executions_do_not_count,
    ),
    PlantedBug(
        duties.each_waits_for_the_other,
        "I18",
        (LIVE + "test_live_poll.py::test_an_order_that_never_existed_does_not_keep_an_execution_unexplained",),
    ),
    PlantedBug(
        duties.exit_does_not_ask_its_stop,
        "F6",
        (LIVE + "test_live_desk.py::test_an_exit_is_not_sent_for_a_layer_whose_stop_has_fired",),
    ),
    PlantedBug(duties.written_after_it_was_sent, "I13 F4", (StormRun("I13"),)),
    PlantedBug(
        duties.not_on_the_disk, "I13", (LIVE + "test_live_desk.py::test_an_intent_is_on_the_disk_before_anything_leaves",)
    ),
    PlantedBug(
        duties.breaker_does_not_latch, "I11", (LIVE + "test_live_desk.py::test_a_drawdown_at_a_close_latches_for_people",)
    ),
    PlantedBug(
        duties.cancel_forgives_refusals,
        "I9 F1",
        (LIVE + "test_live_health.py::test_a_cancellation_between_them_does_not_forgive_refusals",),
    ),
    PlantedBug(
        duties.orphan_is_closed_by_any_order, "I8", (LIVE + "test_live_poll.py::test_an_orphan_is_closed_and_a_person_is_woken",)
    ),
    PlantedBug(
        duties.orphan_is_tried_for_ever,
        "I2 F7",
        (LIVE + "test_live_poll.py::test_an_orphan_that_cannot_be_closed_is_tried_ten_times",),
    ),
    PlantedBug(
        duties.halt_tries_once, "I2 F7", (LIVE + "test_live_halt.py::test_at_the_venue_a_halt_tries_again_whatever_is_refused",)
    ),
    PlantedBug(
        duties.halt_stops_at_a_refused_cancel,
        "I2 F7",
        (LIVE + "test_live_halt.py::test_at_the_venue_a_halt_tries_again_whatever_is_refused",),
    ),
    PlantedBug(
        duties.halt_closes_what_is_not_ours,
        "I6",
        (LIVE + "test_live_halt.py::test_a_strangers_part_of_the_position_is_not_traded",),
    ),
    PlantedBug(duties.flip_is_not_noticed, "I8 F6", (LIVE + "test_live_reconcile.py::test_a_position_of_the_other_side_halts",)),
    PlantedBug(duties.one_reading_is_enough, "I14", (LIVE + "test_live_reconcile.py::test_one_reading_is_no_difference",)),
    PlantedBug(
        duties.compared_while_it_moves,
        "I6",
        (LIVE + "test_live_reconcile.py::test_a_position_that_moves_while_it_is_read_is_no_difference",),
        duties.doubts_explain_nothing,
        alone=False,
    ),
    PlantedBug(
        duties.no_answer_is_flat,
        "F5",
        (LIVE + "test_live_reconcile.py::test_nothing_enters_before_venue_and_book_were_compared",),
    ),
    PlantedBug(
        duties.cash_is_not_compared,
        "I19",
        (LIVE + "test_live_reconcile.py::test_cash_that_moves_beside_the_desk_is_a_difference",),
    ),
    PlantedBug(
        duties.start_compares_nothing,
        "I14 F5",
        (LIVE + "test_live_reconcile.py::test_nothing_enters_before_venue_and_book_were_compared",),
    ),
    PlantedBug(duties.silence_is_not_noticed, "I7 F2", (LIVE + "test_live_health.py::test_a_stream_without_life_is_built_anew",)),
    PlantedBug(
        duties.unannounced_is_well,
        "I5 F2",
        (LIVE + "test_streams.py::test_executions_that_are_not_announced_make_it_a_bad_stream",),
    ),
    PlantedBug(duties.clock_may_differ, "I10", (LIVE + "test_live_health.py::test_a_clock_that_differs_stops_entries",)),
    PlantedBug(
        duties.asked_without_a_pause,
        "I6",
        (LIVE + "test_live_health.py::test_a_venue_that_does_not_answer_stops_entries_until_it_does",),
    ),
    PlantedBug(duties.probe_without_a_stream_counts, "I14 F1", (LIVE + "test_gate.py",)),
    PlantedBug(
        duties.gate_does_not_hear_of_incidents,
        "I14 F1",
        (LIVE + "test_gate.py::test_an_incident_of_the_fill_path_needs_a_round_trip_that_a_person_pays_for",),
    ),
    PlantedBug(duties.consent_counts_twice, "I16", (LIVE + "test_gate.py",)),
    PlantedBug(
        duties.first_size_is_any_size,
        "I8",
        (LIVE + "test_live_stages.py::test_a_size_above_the_least_does_not_leave_whatever_the_rules_say",),
    ),
    PlantedBug(
        duties.stream_is_not_believed,
        "I12 F8",
        (
            LIVE + "test_announced.py::test_a_stop_that_only_the_stream_shows_is_believed_for_a_minute",
            LIVE + "test_announced.py::test_an_exit_waits_for_rest_to_know_of_a_stop_that_has_fired",
        ),
    ),
    PlantedBug(
        duties.start_leaves_the_stop_of_an_entry,
        "I12 F4",
        (
            LIVE + "test_attached_stops.py::test_a_process_that_died_before_the_stop_was_sent",
            "tests/storms/test_storm_live.py::test_killed_while_rest_is_late",
        ),
    ),
    PlantedBug(
        duties.lost_stop_stays_lost,
        "I12",
        (
            LIVE + "test_lost_stops.py::test_a_stop_that_was_acknowledged_and_is_not_there_goes_out_again",
            "tests/storms/test_storm_live.py::test_stops_that_are_acknowledged_and_lost",
        ),
    ),
    PlantedBug(
        duties.acknowledged_in_vain_counts,
        "I12",
        (LIVE + "test_lost_stops.py::test_a_stop_that_is_lost_again_and_again_is_a_page_and_the_layer_leaves",),
    ),
    PlantedBug(
        duties.stop_sent_twice_is_cancelled_at_once,
        "I3",
        (LIVE + "test_sent_twice.py::test_a_layer_that_leaves_keeps_such_a_stop_until_then",),
    ),
    PlantedBug(
        duties.any_stop_covers_its_layer,
        "I12",
        (LIVE + "test_lost_stops.py::test_a_stop_of_fewer_lots_than_its_layer_covers_no_more",),
    ),
    PlantedBug(
        duties.stop_outlives_what_it_covered,
        "F6",
        (LIVE + "test_attached_stops.py::test_the_stop_of_what_was_flattened_does_not_outlive_it",),
    ),
    PlantedBug(
        duties.last_stop_is_cancelled,
        "I12",
        (LIVE + "test_live_reconcile.py::test_a_stop_that_the_book_believed_gone_stays_while_nothing_else_covers_its_layer",),
    ),
    PlantedBug(
        duties.bare_again_and_again,
        "I12",
        (LIVE + "test_live_health.py::test_a_second_layer_that_is_left_for_want_of_a_stop_withholds_entries",),
    ),
)
OF_THE_VENUES = (
    PlantedBug(venues.unknown_code_is_a_refusal, "I4 F3", (VENUES + "test_adapters.py::test_what_an_answer_proves",)),
    PlantedBug(
        venues.cursor_skips_a_millisecond,
        "I5",
        (VENUES + "test_adapters.py::test_executions_of_one_millisecond_are_not_lost_between_two_looks",),
    ),
    PlantedBug(
        venues.acknowledged_is_moved, "I12", (VENUES + "test_vain_amendments.py::test_a_stop_that_did_not_move_is_moved_again",)
    ),
    PlantedBug(
        venues.first_page_is_the_list, "I5", (VENUES + "test_adapters.py::test_more_executions_than_a_page_holds_are_all_there",)
    ),
    PlantedBug(
        venues.list_of_versions_is_complete,
        "I3 F8",
        (VENUES + "test_binance_versions.py::test_no_version_is_placed_beside_one_that_a_killed_process_has_sent",),
    ),
    PlantedBug(
        venues.exit_may_open_a_position,
        "I8 F6",
        (VENUES + "test_adapters.py::test_an_end_is_asked_for_and_an_exit_never_turns_the_position",),
    ),
)
# those that the storms' own tests plant with real ccxt, and the law that each must see
WORDS = {"declared": "I4", "have": "I12", "is": "I12"}  # of laws whose violation is looked for by its words
OF_THE_STORMS = tuple(
    PlantedBug(
        plant,
        WORDS.get(law.split()[0], law.split()[0]),
        (StormRun(law, plan, "okx", more.get("seed", 3), 20, tuple({k: v for k, v in more.items() if k != "seed"}.items())),),
    )
    for plant, (plan, more, law) in PLANTED.items()
)
TABLE = (*OF_THE_BOOK, *OF_THE_DUTIES, *OF_THE_VENUES, *OF_THE_STORMS)
DEFAULT = ("execution_is_booked_again", "attached_stop_sleeps_on", "not_found_counts_at_once")
