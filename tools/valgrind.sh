use build

# valgrind [PYTEST ARGUMENT...]: integration tests with the gateway under memcheck.
verb_valgrind() {
    local chosen=("$@")
    [ $# -gt 0 ] || chosen=(tests/integration)
    require build ui test valgrind
    TESTS=ON build_release || die "the build failed"
    step "integration tests under valgrind" env TIDEWAY_BIN="$ROOT/tests/integration/under-valgrind" \
        PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -m pytest -q -p no:cacheprovider -n $((JOBS * 2)) "${chosen[@]}"
}
