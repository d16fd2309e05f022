"""What these classes of case share: children that may be killed."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def in_a_child() -> Callable[[Callable[[], object], str], int]:
    """Do something in a fork of the test, and return its exit code, -9 when it was killed.

    The second argument is what the revision finds in KILLED_AT.
    """

    def do(work: Callable[[], object], killed_at: str) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the child runs none of the parent's threads
            child = os.fork()
        if child == 0:
            code = 1
            try:
                os.environ["KILLED_AT"] = killed_at
                work()
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return do
