"""What a strategy's code opens while it runs: files, sockets, processes. A look-ahead check cannot vouch for what is in them.

Called by sim/request.py, sim/leaks.py and sim/backtest.py around every run of a person's code. Python reports each opening
through its audit hooks. Readers in native code report nothing: polars' own are wrapped, and for all others `sealed` runs the
code once more where nothing more can be opened. This names what is opened; it confines nothing, as strategies/isolated/confine.py
does, and code that wants to deceive it can.
"""

import functools
import os
import resource
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

READ_EVENT = "nightdesk.read"  # our own audit event, raised by wrapped native readers
PROCESSES = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.startfile"}
SOCKETS = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
FILES = {"open", READ_EVENT, "sqlite3.connect", "ctypes.dlopen", "os.rename", "os.remove", "os.link", "os.symlink", "dbm.open"}
MEMORY = {"gc.get_objects", "gc.get_referrers", "gc.get_referents"}  # where the whole history is found
WATCHED = PROCESSES | SOCKETS | FILES | MEMORY
ENGINE = Path(__file__).resolve().parents[1]
HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random", "/usr/share/zoneinfo/", "/proc/self/", "/proc/cpuinfo", "/proc/stat")
HOOK = ".__path_hook__"  # the end of an entry of sys.path that is no file
SHARED = ("builtins", "sys", "os", "math", "numpy", "polars")
WARNED = "__warningregistry__"  # Python's own note in a module that something there has warned
TEXT_MAX = 200
_current: tuple[dict[str, None], frozenset[int]] | None = None
_installed = False


@contextmanager
def watched(seen: dict[str, None]) -> Iterator[None]:
    """Note in `seen` what is opened inside, once each: `reads FILE`, `writes FILE`, `connects to HOST`, `starts PROGRAM`; and
    `keeps NAME` for what is left behind in a module that every later run shares.

    Other threads that run already are not watched: they are not the strategy's.
    """
    global _current
    _install()
    others = frozenset(t.ident for t in threading.enumerate() if t.ident is not None) - {threading.get_ident()}
    before, _current, shared = _current, (seen, others), shared_names()
    try:
        yield
    finally:
        _current = before
        seen.update({_cut(f"keeps {name}"): None for name in left_behind(shared)})


def shared_names() -> dict[str, set[str]]:
    """Module -> its names, of modules that outlive a fresh copy of a strategy: the interpreter's, numpy, polars, our engine."""
    names = [name for name in sys.modules if name in SHARED or name.partition(".")[0] == "engine"]
    return {name: set(vars(sys.modules[name])) for name in names}


def left_behind(before: dict[str, set[str]]) -> list[str]:
    """Names that modules loaded before have got since; a submodule that was imported is none."""
    now = shared_names()
    return [
        f"{module}.{name}"
        for module in sorted(set(before) & set(now))
        for name in sorted(now[module] - before[module])
        if not isinstance(vars(sys.modules[module]).get(name), ModuleType) and name != WARNED
    ]


def _install() -> None:
    """Begin to listen, once in a process: an audit hook cannot be taken back."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)
        _wrap_environment()
    if "polars" in sys.modules:
        _wrap_native_readers()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _current is None or event not in WATCHED:
        return
    seen, others = _current
    if threading.get_ident() in others or _for_traceback():
        return
    if text := access_text(event, arguments):
        seen[text] = None


def _for_traceback() -> bool:
    """Whether it is linecache that opens a source file, to say in which line an exception was raised."""
    frame = sys._getframe(2)
    callers = (frame, frame.f_back) if frame is not None else ()
    return [c.f_globals.get("__name__") for c in callers if c is not None] == ["tokenize", "linecache"]


def _wrap_environment() -> None:
    """Make the environment report what is read of it by code that is no library's: on the desk a strategy has none."""
    kind: Any = type(os.environ)
    item, names = kind.__getitem__, kind.__iter__

    def one(self: Any, key: Any) -> Any:
        _read_environment(self, str(key))
        return item(self, key)

    def each(self: Any) -> Any:
        _read_environment(self, "all of it")
        return names(self)

    kind.__getitem__, kind.__iter__ = one, each


def _read_environment(environment: Any, name: str) -> None:
    if _current is None or environment is not os.environ:
        return
    seen, others = _current
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") in ("os", "_collections_abc", "collections.abc"):
        frame = frame.f_back
    if frame is None or threading.get_ident() in others or is_library(frame.f_code.co_filename):
        return
    seen[_cut(f"reads the environment: {name}")] = None


def access_text(event: str, arguments: tuple[Any, ...]) -> str:
    """An audit event in words; empty for what every program opens: its libraries, time zones, null devices."""
    first = arguments[0] if arguments else ""
    if event in MEMORY:
        return f"searches the memory ({event})"
    if event in PROCESSES:
        words = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], list | tuple) and arguments[1] else [first]
        text = " ".join(os.fsdecode(w) if isinstance(w, str | bytes | os.PathLike) else str(w) for w in words)
        return _cut(f"starts {'a copy of itself' if event.startswith('os.fork') else text}")
    if event in SOCKETS:
        place = arguments[1] if event in ("socket.connect", "socket.bind", "socket.sendto") and len(arguments) > 1 else first
        return _cut(f"connects to {place}")
    if isinstance(first, int) or first is None:  # a descriptor that was opened before
        return ""
    name = _name(first)
    if event == "ctypes.dlopen" and not name.startswith("/"):
        return ""
    if is_library(name):
        return ""
    return _cut(f"{'writes' if event != READ_EVENT and writes(event, arguments) else 'reads'} {name}")


def writes(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether an opening can change the file."""
    if event != "open":
        return event.startswith("os.")
    mode, flags = (arguments[1] if len(arguments) > 1 else ""), (arguments[2] if len(arguments) > 2 else 0)
    if isinstance(mode, str) and mode:
        return any(sign in mode for sign in "wax+")
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def is_library(name: str) -> bool:
    """Whether a path belongs to Python, its installed packages or our engine, or is harmless."""
    if name.startswith(HARMLESS) or name.endswith(HOOK) or name == library_archive():
        return True
    with suppress(OSError, ValueError):
        return os.path.realpath(name).startswith(library_roots()) or name.startswith(library_roots())
    return False


@functools.cache
def library_roots() -> tuple[str, ...]:
    """Folders of the standard library, of installed packages, and of our engine."""
    names = {sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")} | {str(ENGINE)}
    return tuple(sorted({f"{os.path.realpath(name)}{os.sep}" for name in names} | {f"{name}{os.sep}" for name in names}))


@functools.cache
def library_archive() -> str:
    """Where Python looks for a zipped standard library first, whether there is one or not."""
    return os.path.join(sys.base_prefix, sys.platlibdir, f"python{sys.version_info.major}{sys.version_info.minor}.zip")


def _name(value: Any) -> str:
    """A path as text, made absolute; a URL as it is."""
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    text = str(value)
    return text if "://" in text else os.path.abspath(text)


def _cut(text: str) -> str:
    flat = "".join(sign if sign.isprintable() else "?" for sign in text)
    return flat if len(flat) <= TEXT_MAX else flat[: TEXT_MAX - 3] + "..."


@functools.cache
def _wrap_native_readers() -> None:
    """Make polars' readers, which open files in native code, report what they are asked to read; once in a process."""
    import polars as pl

    readers = [name for name in dir(pl) if name.startswith(("read_", "scan_"))]
    originals = {id(found): _reporting(found) for name in readers if callable(found := getattr(pl, name))}
    for module in [m for name, m in list(sys.modules.items()) if name == "polars" or name.startswith("polars.")]:
        for name, value in list(vars(module).items()):
            if id(value) in originals and callable(value):
                setattr(module, name, originals[id(value)])


def _reporting(reader: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(reader)
    def reporting(*args: Any, **named: Any) -> Any:
        source = args[0] if args else next(iter(named.values()), "")
        if _current is not None:
            for one in source if isinstance(source, list | tuple) else (source,):
                if isinstance(one, str | bytes | Path):
                    sys.audit(READ_EVENT, one)
        return reader(*args, **named)

    return reporting


@contextmanager
def sealed() -> Iterator[None]:
    """Nothing more can be opened inside, in native code neither: files, sockets, pipes. What is open stays usable."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        highest = max(map(int, os.listdir("/proc/self/fd"))) if Path("/proc/self/fd").exists() else taken[0]
        while taken[-1] < highest:  # numbers below the limit that are free would still be given out
            taken.append(os.dup(taken[0]))
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for number in taken:
            os.close(number)
