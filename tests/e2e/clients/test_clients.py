"""Every check of every library. What programs.py names as a flaw of a library may fail, and is shown in the table."""

import pytest

from checks import CHECKS
from programs import LIBRARIES, MISSING


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", LIBRARIES)
def test_client(cells, name, check):
    if name in MISSING:
        pytest.skip(f"{name}: {MISSING[name]}")
    well, text = cells[name, check]
    assert well or check in LIBRARIES[name].flaws, text
