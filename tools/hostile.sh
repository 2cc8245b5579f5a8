use areas

# hostile [PYTEST ARGUMENT...]: the long forms of the tests of hostile peers, with bounds on latency.
verb_hostile() {
    PYTEST_ARGS=("$@")
    require build ui test
    mkdir -p "$RESULTS/hostile"
    export TIDEWAY_FULL=1 TIDEWAY_TIME_LIMITS=${TIDEWAY_TIME_LIMITS:-1}
    local code=0
    test_hostile || code=1
    cat "$RESULTS"/hostile/*.md
    return "$code"
}
