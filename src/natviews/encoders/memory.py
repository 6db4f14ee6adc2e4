"""Keeping freed memory for the next step instead of returning it to the system."""

import ctypes
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**31 - 1
LARGEST_ON_HEAP = 2**30


@cache
def keep_freed_memory() -> None:
    """Tells glibc's allocator to reuse what a step frees; does nothing elsewhere, or a second time.

    On the CPU each step allocates gigabytes of activations. glibc maps blocks of that size afresh and
    returns them at once, and the kernel clears every page again: a MobileNetV2 at 160 px, batch 192,
    trained at 26 images/s without this and at 65 to 76 with it on two cores.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_ON_HEAP)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
