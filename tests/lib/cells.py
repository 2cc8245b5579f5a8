"""Tables whose cells are all tried in one run, each by a test of its own."""

import contextlib


@contextlib.contextmanager
def filled(cells, run_all, wanted):
    """Fills `cells`, which the table is written from at the end, and takes away afterwards what the run has started."""
    with contextlib.ExitStack() as stack:
        cells.update(run_all(stack, wanted))
        yield cells
