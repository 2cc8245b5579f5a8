"""curl, as a client that tests did not write."""

import subprocess

from lib.waiting import DEADLINE_S


def curl(*arguments, data=None, timeout=DEADLINE_S):
    """Runs curl, quiet and without certificate checks, and returns the finished process."""
    return subprocess.run(["curl", "-sk", *arguments], input=data, capture_output=True,
                          timeout=timeout, check=False)
