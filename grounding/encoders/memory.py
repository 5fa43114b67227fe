"""What glibc is told, so that memory that was freed goes back to the system."""

import ctypes
from contextlib import suppress

MALLOC = ((-8, 2), (-3, 2**18), (-1, 2**18))  # M_ARENA_MAX, M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, and their values
MISSING = (OSError, AttributeError, TypeError)  # of another C library


def hold_little_memory() -> None:
    """For a whole program: glibc gives threads pools of memory and keeps what is freed there, which adds up where many
    ask at once, and with frames and features of every size."""
    with suppress(*MISSING):
        for option, value in MALLOC:
            ctypes.CDLL(None).mallopt(option, value)


def trim_memory() -> None:
    """Gives back what is free now."""
    with suppress(*MISSING):
        ctypes.CDLL(None).malloc_trim(0)
