# test [AREA...] [-- PYTEST ARGUMENT...]: installs what the chosen areas need, builds, runs them, and counts.
use areas

# What the last areas need is built while hostile peers take their time: those tests wait more than they work, and
# assert no time. Who needs it builds again, which does nothing then, or says what is wrong.
build_ahead() {
    local area
    renice -n 19 -p "$BASHPID"
    for area in "$@"; do
        case $area in
        asan | tsan | fuzz) "build_$area" || true ;;
        esac
    done
}

# Which groups of packages the chosen areas need, each once.
needs_of() {
    local area group
    for area in "$@"; do
        for group in ${NEEDS[$area]:-}; do
            say "$group"
        done
    done | sort -u
}

# test [AREA...] [-- PYTEST ARGUMENT...]
verb_test() {
    local areas=() groups=() area code=0 broken=()
    PYTEST_ARGS=()
    while [ $# -gt 0 ]; do
        if [ "$1" = -- ]; then
            shift
            PYTEST_ARGS=("$@")
            break
        fi
        declare -F "test_$1" >/dev/null || die "no test area '$1'; there are: ${AREAS[*]}"
        areas+=("$1")
        shift
    done
    [ "${#areas[@]}" -gt 0 ] || areas=("${AREAS[@]}")
    mapfile -t groups < <(needs_of "${areas[@]}")
    require build ui test "${groups[@]}"
    rm -rf "$RESULTS"
    mkdir -p "$RESULTS"
    for area in "${areas[@]}"; do
        case $area in
        hostile) build_ahead "${areas[@]}" >/dev/null 2>&1 & ;;
        asan | tsan | fuzz) wait ;;
        esac
        "test_$area" || broken+=("$area")
    done
    # A failed area without a failed test in it did not build or died: the summary counts it as failed.
    "$PYTHON" tests/summary.py "$RESULTS" "${broken[@]}" || code=1
    return "$code"
}
