"""What a strategy process gives up before it runs anybody's file. Called by serve.py alone, once, after its imports.

No file may grow, no child may be made, memory is bounded; root's rights are given up, so that no other process's environment can
be read; where the kernel allows it, it has no network. What a kernel refuses is left out: docs/threats.md says what then remains.
"""

import ctypes
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from engine.clock import DAY_MS
from engine.features.spread import vol, vol_ratio

WARM = 100  # bars of a day each
MEMORY_BYTES_MAX = 2 << 30  # of address space, most of it reserved and never touched
FILES_MAX = 64
NOBODY = 65534
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIGKILL = 9
CAPABILITIES_V3 = 0x20080522


def confine() -> None:
    """Give up everything that computing a signal does not need."""
    parent = os.getppid()
    without_network()
    if os.geteuid() == 0:
        give_up_root()
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    load_threaded()
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, FILES_MAX),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))
    _prctl(PR_SET_PDEATHSIG, SIGKILL)  # after the change of user, which clears it
    if os.getppid() != parent:
        os._exit(1)  # the desk went away in between


def load_threaded() -> None:
    """Load what starts threads: before the limit on children, which counts the threads of every user but root (features
    would end the process at their first bar), and after the user namespace, which the kernel refuses to a process with threads.
    """
    ones = np.ones(WARM)  # polars makes its threads at the first of these
    vol.compute(ones, DAY_MS)
    vol_ratio.compute(ones, ones, ones, DAY_MS, 2)


def without_network() -> None:
    """A network of its own, with nothing in it. A user's process gets a user namespace with it, out of which the kernel lets it
    look into no process outside, not even the same user's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "unshare"):
        libc.unshare(CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWUSER | CLONE_NEWNET)


def give_up_root() -> None:
    """Become nobody; where another user cannot read the modules that are loaded later, stay root without its powers, which does
    not suffice to look into a process that has them.
    """
    if all(readable_by_all(Path(file)) for file in (os.__file__, sys.prefix, __file__)):
        with suppress(OSError):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            return
    libc, header, nothing = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)()
    if hasattr(libc, "capset"):
        libc.capset(header, nothing)


def readable_by_all(path: Path) -> bool:
    """Whether another user may go down to `path` and read it."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents) and bool(path.stat().st_mode & 0o004)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(option, value, 0, 0, 0)
