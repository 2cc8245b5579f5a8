"""The parts of bench/run: scenarios, servers, one run of the load generator, reports."""
