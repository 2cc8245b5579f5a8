use build

# simulate [SECONDS] [FIRST_SEED]: worlds of gateways, network and Redis in virtual time, for so many seconds of CPU.
verb_simulate() {
    [[ ${1:-60} =~ ^[1-9][0-9]*$ ]] || die "usage: ./dev simulate [SECONDS] [FIRST_SEED]"
    require build ui test
    TESTS=ON build_release || die "the build failed"
    build/tests/simulation/simulate seconds "${1:-60}" "${@:2}"
}
