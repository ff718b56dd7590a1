"""Whether this process has the room that a desk needs: open files and memory. Standard library alone.

Called by `nightdesk up`, worker and API before anything heavy is loaded: a library that cannot get a thread or memory ends the
process with its own words. The system's limits -> one line, or nothing; a failure of the system later on -> the same shape.
"""

import errno
import resource

FILES_MIN = 64  # a worker with strategy processes uses about 30, the API about 50
BYTES_MIN = 1 << 30  # of address space, where it is limited: the data libraries reserve most of it and use little


def lacking() -> str:
    """What there is too little of, in one line with what to do; "" when there is enough."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files not in (resource.RLIM_INFINITY, -1) and files < FILES_MIN:
        return f"this process may open {files} files, a desk needs {FILES_MIN} - raise it: ulimit -n 1024"
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    if space not in (resource.RLIM_INFINITY, -1) and space < BYTES_MIN:
        return f"this process may use {space >> 20} MB of memory, a desk needs {BYTES_MIN >> 20} - raise it: ulimit -v unlimited"
    return ""


def failure_text(error: BaseException) -> str:
    """A failure of the operating system in one line with what to do."""
    if isinstance(error, MemoryError):
        return "out of memory - free some, or raise the limit: ulimit -v unlimited"
    number = getattr(error, "errno", None)
    where = f" {name}" if (name := getattr(error, "filename", None)) else ""
    advice = {
        errno.EMFILE: "too many open files for this process: ulimit -n 1024",
        errno.ENFILE: "too many open files on this machine: stop other programs",
        errno.ENOSPC: "free disk space, then try again",
        errno.EFBIG: "a file may not grow further (ulimit -f): raise it, then try again",
        errno.EROFS: "the disk is read-only: mount it for writing, then try again",
        errno.EACCES: "give this user the right to read and write there",
    }.get(number or 0, "look at the disk and the limits of this machine, then try again")
    return f"the system failed{where}: {getattr(error, 'strerror', None) or error} - {advice}"
