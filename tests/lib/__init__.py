"""What several test areas share: the gateway as a process, clients, servers, measurements. See tests/pyproject.toml."""
