"""How much memory there is and this process has had, and limits on how much more of memory and CPU it may take.

Linux alone holds a process to a limit on memory: macOS takes the same setting and does not keep to it, and Windows has
none. There a worker is ended by its time, and on macOS replaced by its peak. CPU time is limited on all but Windows,
where the pool's clock alone ends a call.
"""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")
_ASSUMED_BYTES: Final = 4_000_000_000
"""Of a machine that does not tell."""


def read_memory_size() -> int:
    """The bytes of memory that this process can hope for: the machine's, or its container's."""
    sizes: list[int] = []
    with suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # the file says "max" where there is no limit
        sizes.append(int(_CGROUP_LIMIT.read_text("ascii")))
    return min(sizes, default=_ASSUMED_BYTES)


def limit_memory(more_bytes: int | None) -> None:
    """Let this process take so many bytes more than it has now; None takes the limit away."""
    if sys.platform != "linux":
        return
    import resource

    limit = resource.RLIM_INFINITY if more_bytes is None else _read_address_space() + more_bytes
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    # Whoever started the server may have set a limit of their own, above which nobody gets.
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def limit_cpu(more_s: float | None) -> None:
    """Let the system kill this process once it has computed for so many seconds more, in all its threads together."""
    if sys.platform == "win32" or more_s is None:
        return
    import resource

    # Counted in whole seconds from the start of the process, whichever call they were spent on.
    limit = math.ceil(time.process_time() + more_s)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def forbid_core_dumps() -> None:
    """Leave no file of this process's memory behind when it is killed: pictures of strangers are in it."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def read_peak() -> int:
    """The most bytes of memory this process has had at once; 0 on Windows."""
    if sys.platform == "win32":
        return 0
    if sys.platform == "linux":  # getrusage counts the program that started this one
        status = Path("/proc/self/status").read_text("ascii")
        return 1024 * int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _read_address_space() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split(maxsplit=1)[0]) * os.sysconf("SC_PAGE_SIZE")
