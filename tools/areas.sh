# The areas of `test`: test_AREA builds what it needs and runs it; NEEDS names the groups of packages beyond those of every
# test, which are installed before anything is built.
use build

AREAS=(unit conformance simulation h2o integration hostile contract docs ui e2e bench packaging asan tsan fuzz)

declare -gA NEEDS=(
    [contract]="contract"
    [docs]="browser"
    [ui]="browser"
    [e2e]="browser e2e fronts"
    [packaging]="helm"
    [fuzz]="fuzz"
)

export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-exitcode=66}

# run_ctest DIR LABEL-REGEX TITLE
run_ctest() {
    step "$3" ctest --test-dir "$1" -L "$2" -j "$JOBS" --output-on-failure --no-tests=ignore
}

# run_pytest RESULT BINARY TITLE [PYTEST ARGUMENT...]: the tests wait for the gateway more than they work, so several share
# a core.
run_pytest() {
    local result=$1 binary=$2 title=$3
    shift 3
    compgen -G 'tests/integration/test_*.py' >/dev/null || return 0
    step "$title" env TIDEWAY_BIN="$ROOT/$binary" PYTHONDONTWRITEBYTECODE=1 \
        "$PYTHON" -m pytest tests/integration -q -p no:cacheprovider -n $((JOBS * 3)) \
        --junit-xml="$RESULTS/$result/results.xml" "$@" "${PYTEST_ARGS[@]}"
}

test_unit() {
    TESTS=ON build_release && run_ctest build '^unit$' "unit tests"
}

test_conformance() {
    TESTS=ON build_release && run_ctest build '^conformance$' "conformance tests"
}

# The Redis adapter on a simulated network, and the model of Redis that it talks to.
test_simulation() {
    TESTS=ON build_release && run_ctest build '^simulation$' "simulation"
}

# What the patches of libh2o and the lean streams do, with two small servers on libh2o instead of the gateway.
test_h2o() {
    TESTS=ON build_release && run_ctest build '^h2o$' "h2o tests"
}

test_integration() {
    TESTS=ON build_release && get_h2spec && run_pytest integration build/tideway "integration tests"
}

# /openapi.json against the running gateway.
test_contract() {
    TESTS=ON build_release || return 1
    step "contract tests" env TIDEWAY_BIN="$ROOT/build/tideway" PYTHONDONTWRITEBYTECODE=1 \
        TIDEWAY_TEST_RESULTS="$RESULTS/contract" "$PYTHON" -m pytest tests/contract -q -p no:cacheprovider \
        --junit-xml="$RESULTS/contract/results.xml" "${PYTEST_ARGS[@]}"
}

# Attacks, slow and dying peers, one after the other: they want the machine for themselves.
test_hostile() {
    TESTS=ON build_release && step "hostile peers" env TIDEWAY_BIN="$ROOT/build/tideway" \
        TIDEWAY_TEST_RESULTS="$RESULTS/hostile" PYTHONDONTWRITEBYTECODE=1 \
        "$PYTHON" -m pytest tests/hostile -q -p no:cacheprovider -n $((JOBS * 2)) \
        --junit-xml="$RESULTS/hostile/results.xml" "${PYTEST_ARGS[@]}"
}

# Every code block of the README and the docs; then the list of those that cannot be run.
test_docs() {
    local code=0
    TESTS=ON build_release || return 1
    step "docs: code blocks" env TIDEWAY_BIN="$ROOT/build/tideway" UI="$UI" PYTHONDONTWRITEBYTECODE=1 \
        "$PYTHON" -m pytest tests/docs -q -p no:cacheprovider -n "$JOBS" \
        --junit-xml="$RESULTS/docs/results.xml" "${PYTEST_ARGS[@]}" || code=1
    (cd tests && "$PYTHON" -B -m lib.blocks)
    return "$code"
}

# run_vitest RESULT TITLE [VITEST ARGUMENT...]
run_vitest() {
    local result=$RESULTS/$1/results.xml title=$2
    shift 2
    step "$title" npm --prefix admin-ui exec --offline -- \
        vitest run --root "$ROOT/admin-ui" --reporter=default --reporter=junit --outputFile="$result" "$@"
}

# One file after the other: a test that measures time wants the machine for itself.
run_browser_tests() {
    local file name code=0
    for file in tests/e2e/ui/*.test.mjs; do
        name=$(basename "$file" .test.mjs)
        mkdir -p "$RESULTS/ui-$name"
        step "admin UI in a browser: $name" env TIDEWAY_BIN="$ROOT/build/tideway" \
            TIDEWAY_TEST_RESULTS="$RESULTS/ui" node --test \
            --test-reporter=spec --test-reporter-destination=stdout \
            --test-reporter=junit --test-reporter-destination="$RESULTS/ui-$name/results.xml" \
            "$file" || code=1
        # Playwright colours its messages, and XML has no escape characters.
        sed -i 's/\x1b\[[0-9;]*m//g' "$RESULTS/ui-$name/results.xml"
    done
    return "$code"
}

test_ui() {
    local code=0
    TESTS=ON build_release || return 1
    [ "$UI" = ON ] || return 1
    once ui-test-packages "$(hash_of tests/e2e/ui/package-lock.json)" "browser test packages" \
        npm_install tests/e2e/ui || return 1
    run_vitest ui-unit "admin UI: unit tests" || code=1
    TIDEWAY_BIN=$ROOT/build/tideway run_vitest ui-contract "admin UI: types and real answers" \
        --config vitest.contract.config.ts || code=1
    run_browser_tests || code=1
    return "$code"
}

# The examples, as far as the machine has their languages; what is left out is named, also in the report.
build_examples() {
    local language why sources code=0
    for language in typescript python go rust browser curl; do
        why=$(tests/e2e/matrix/build why "$language")
        if [ -n "$why" ]; then
            say "examples: $language left out: ${why//$'\n'/, }"
            continue
        fi
        case $language in
        curl) sources=(examples/curl.sh) ;;
        browser) sources=(tests/e2e/ui/package-lock.json) ;;
        *) sources=("examples/$language") ;;
        esac
        once "example-$language" "$(hash_of "${sources[@]}" tests/e2e/matrix/build)" "examples: $language" \
            tests/e2e/matrix/build "$language" || code=1
    done
    return "$code"
}

# The clients that others wrote; tests/e2e/clients/programs.py names what the machine has no tools for.
build_clients() {
    local language tool code=0
    while read -r language tool; do
        command -v "$tool" >/dev/null || continue
        once "client-$language" "$(hash_of "tests/e2e/clients/$language" tests/e2e/clients/build)" "clients: $language" \
            tests/e2e/clients/build "$language" || code=1
    done <<<$'npm npm\npython python3\ngo go\nrust cargo\njava mvn'
    return "$code"
}

# e2e_pytest FOLDER RESULT: a choice of tests by arguments may leave none in a folder (5).
e2e_pytest() {
    local code=0
    TIDEWAY_BIN="$ROOT/build/tideway" UI="$UI" TIDEWAY_TEST_RESULTS="$RESULTS/e2e" PYTHONDONTWRITEBYTECODE=1 \
        "$PYTHON" -m pytest "tests/e2e/$1" -q -p no:cacheprovider --junit-xml="$RESULTS/$2/results.xml" \
        "${PYTEST_ARGS[@]}" || code=$?
    [ "$code" -eq 0 ] || { [ "$code" -eq 5 ] && [ "${#PYTEST_ARGS[@]}" -gt 0 ]; }
}

test_e2e() {
    local code=0 table
    TESTS=ON build_release || return 1
    build_examples && build_clients || return 1
    step "every publisher with every subscriber" e2e_pytest matrix e2e || code=1
    step "behind proxies and balancers" e2e_pytest fronts e2e-fronts || code=1
    step "clients that others wrote" e2e_pytest clients e2e-clients || code=1
    for table in matrix fronts clients; do
        [ ! -f "$RESULTS/e2e/$table.md" ] || cat "$RESULTS/e2e/$table.md"
    done
    return "$code"
}

# Short runs of the load generator, which proves every delivery; how fast they are does not matter.
test_bench() {
    TESTS=ON build_release && [ -x build/bench/tw-load ] &&
        step "quick benchmark" bench/run quick --junit "$RESULTS/bench/results.xml"
}

# The chart; helm and the schemas come from package registries, by Go and pip.
test_packaging() {
    if ! command -v go >/dev/null && ! [ -f build-helm/stamp ]; then
        say "packaging tests: left out, they need Go to build helm"
        return 0
    fi
    TESTS=ON build_release || return 1
    step "helm and schemas" packaging/helm-tools || return 1
    step "packaging tests" env TIDEWAY_BIN="$ROOT/build/tideway" PYTHONDONTWRITEBYTECODE=1 \
        build-helm/venv/bin/python -m pytest tests/packaging/chart -q -p no:cacheprovider -n "$JOBS" \
        --junit-xml="$RESULTS/packaging/results.xml" "${PYTEST_ARGS[@]}"
}

test_asan() {
    local code=0
    build_asan && get_h2spec || return 1
    run_ctest build-asan '^(unit|conformance|h2o)$' "unit, conformance and h2o tests (ASan, UBSan)" || code=1
    run_pytest asan-integration build-asan/tideway "integration tests (ASan, UBSan)" || code=1
    return "$code"
}

test_tsan() {
    local code=0
    build_tsan || return 1
    run_ctest build-tsan '^(unit|conformance|h2o)$' "unit, conformance and h2o tests (TSan)" || code=1
    run_pytest tsan-integration build-tsan/tideway "multi-worker tests (TSan)" -m tsan || code=1
    return "$code"
}

# Every input that was ever kept, then each target for TIDEWAY_FUZZ_SECONDS, as many at once as there are jobs.
test_fuzz() {
    build_fuzz || return 1
    step "fuzz targets" "$PYTHON" tests/fuzz/regression.py build-fuzz "${TIDEWAY_FUZZ_SECONDS:-10}" "$JOBS" \
        "$RESULTS/fuzz/results.xml"
}
