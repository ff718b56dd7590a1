"""Where a strategy's source reads the wall clock. Called by sim/leaks.py.

A backtest has bars and no present: what depends on the hour of the run is another answer tomorrow, on every prefix alike. Python
reports no reading of the clock, so the source is searched for the usual calls.
"""

import ast
from collections.abc import Iterator

NOW = {"now", "utcnow", "today"}  # of datetime, date, pandas.Timestamp
TIME = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime", "ctime"}
GIVEN = {"localtime", "gmtime", "ctime"}  # with a time they convert it
NUMPY = {"now", "today"}  # np.datetime64("now")


def clock_reads(source: str) -> list[str]:
    """`reads the clock (line 12: datetime.now)` for each call; empty for text that does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {name.asname or name.name for node in imports for name in node.names if name.name == "time"}
    from_time = [name for node in imports if isinstance(node, ast.ImportFrom) and node.module == "time" for name in node.names]
    names = {name.asname or name.name: name.name for name in from_time if name.name in TIME}
    return [f"reads the clock (line {line}: {text})" for line, text in sorted(_calls(tree, modules, names))]


def _calls(tree: ast.AST, modules: set[str], names: dict[str, str]) -> Iterator[tuple[int, str]]:
    """(line, what is called) of each call that reads the clock."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        asked, first = call.func, call.args[0] if call.args else None
        if isinstance(asked, ast.Attribute):
            name, of_time = asked.attr, isinstance(asked.value, ast.Name) and asked.value.id in modules
            reads = name in NOW or (of_time and name in TIME and not (name in GIVEN and first))
            reads = reads or (name == "datetime64" and isinstance(first, ast.Constant) and first.value in NUMPY)
        else:
            name = names.get(asked.id, "") if isinstance(asked, ast.Name) else ""
            reads = bool(name) and not (name in GIVEN and first)
        if reads:
            yield call.lineno, ast.unparse(asked)[:40]
