# bench [ARGUMENT...]: the benchmark, bench/run.
use build

verb_bench() {
    [ -x bench/run ] || die "there is no benchmark (bench/run)"
    require build ui test bench
    TESTS=ON build_release || die "the build failed"
    exec bench/run "$@"
}
