"""A simulation kept in the home, with what a page draws of it: the loop in slices, to the same bit. Called by `nightdesk making
backtest --keep`.
"""

from pathlib import Path

from app.home.written import alone_in
from app.making.paper import SLICE_NS, PaperTerms, head_of, start_of, traded
from app.making.storing import store
from engine.errors import BadInput
from engine.l2.checks import OpenTape
from engine.making.funding import paid_until
from engine.making.picture import MakerPicture
from engine.making.report import report_of
from engine.making.simulation import FundedCourse, begun, finished, loop_of, terms_of
from engine.making.stored import JOURNAL, LOCK, RUN, SIMULATED, folder_of


def keep(home: Path, terms: PaperTerms, opened: OpenTape, now_ms: int, *, compiled: bool = True) -> Path:
    """Simulate, and store what is shown of it; the file. Raises BadInput for a name that is taken."""
    folder, start = folder_of(home, terms.name), start_of(opened, terms) | {"kind": SIMULATED}
    with alone_in(folder, LOCK, f"the maker {terms.name!r} is running"):
        if any((folder / name).exists() for name in (RUN, JOURNAL)):
            raise BadInput(f"the maker {terms.name!r} exists", f"choose another name, or remove {folder}")
        work = begun(opened.tape, traded(opened), terms_of(opened.tape.scale, terms.options, terms.fees.maker_frac))
        picture = MakerPicture(opened.tape.scale, start["t_ns"], terms.fees.rebate_frac)
        course = FundedCourse(work, opened.tape.scale, terms.due, loop_of(compiled=compiled))
        begin, last = int(opened.tape.recv_ns[0]), int(opened.tape.recv_ns[-1])
        for until in (*range(begin + SLICE_NS, last, SLICE_NS), last):
            course.go(until)
            picture.funding = paid_until(course.paid, until)
            picture.look(work, until)
        report = report_of(opened.tape, finished(work, course.paid), terms.fees)
        figures = {
            "fills": report["activity"]["fills"],
            "orders": report["activity"]["orders"],
            "inventory": report["inventory"]["end"],
            "net": report["pnl"]["net"],
            "fees": report["pnl"]["fees"],
            "funding": report["pnl"]["funding"],
        }
        halt = report["activity"]["halt"]
        more = {"state": "over", "figures": figures, "halt": halt and halt | {"reason": ""}, "picture": picture.drawn(work)}
        store(folder, head_of(terms, start, now_ms) | report | more)
        return folder / RUN
