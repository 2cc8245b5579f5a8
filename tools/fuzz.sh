use build

fuzz_targets() {
    find tests/fuzz -maxdepth 1 -name 'fuzz_*.c' -printf '%f\n' | sed 's/\.c$//' | sort
}

# fuzz [SECONDS] [TARGET...]: each fuzz target for that long, from its committed seeds.
verb_fuzz() {
    local seconds=${1:-60} targets=("${@:2}") target code=0
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "usage: ./dev fuzz [SECONDS] [TARGET...]"
    require build test fuzz
    build_fuzz || die "the build failed"
    [ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(fuzz_targets)
    for target in "${targets[@]}"; do
        mkdir -p "build-fuzz/found/$target"
        step "fuzz: $target" tests/fuzz/run build-fuzz "$target" "$seconds" "build-fuzz/found/$target" || code=1
    done
    return "$code"
}
