# build: build/tideway with the admin UI, and the trees that tests need. CMakePresets.json says how each is configured.
use deps

node_major() {
    node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/' || true
}

# Whether the admin UI can be built here; says why when it cannot.
ui_wanted() {
    [ -f admin-ui/package.json ] || return 1
    if ! command -v npm >/dev/null || [ "$(node_major)" -lt 18 ]; then
        say "admin UI: left out, it needs Node.js 18 or newer and npm"
        return 1
    fi
}

# npm ci refuses a lock file that lacks optional packages of other platforms, which not every registry
# has; npm install takes the same versions from it.
npm_install() {
    cd "$1" && { npm ci --no-audit --no-fund || npm install --no-save --no-audit --no-fund; }
}

npm_build() {
    cd admin-ui && npm run build
}

build_ui() {
    local key
    once ui-packages "$(hash_of admin-ui/package-lock.json)" "admin UI packages" npm_install admin-ui || return 1
    key=$(hash_of admin-ui)
    [ -d admin-ui/dist ] || rm -f "$STAMPS/ui-build"
    once ui-build "$key" "admin UI" npm_build
}

prepare_ui() {
    [ -z "${UI:-}" ] || return 0
    UI=OFF
    if ui_wanted; then
        build_ui || return 1
        UI=ON
    fi
}

# build_tree PRESET LABEL [CMAKE OPTION...]: configures when the options changed, and builds. A new tree that cannot be
# configured is removed again: what CMake remembers of a failed attempt would make the next one fail too. A tree that was
# good stays, and the next build configures it again, whatever its options are.
build_tree() {
    local preset=$1 label=$2 dir options key is_new=
    shift 2
    dir=build-$preset
    [ "$preset" != release ] || dir=build
    options=(--preset "$preset" -DTIDEWAY_ADMIN_UI="$UI" "$@")
    [ -z "${CI:-}" ] || options+=(-DTIDEWAY_WERROR=ON)
    key="${options[*]} $(hash_of CMakePresets.json) $(cc --version | head -n 1)"
    [ -f "$dir/build.ninja" ] || is_new=yes
    if [ -n "$is_new" ] || [ "$(cat "$dir/options" 2>/dev/null)" != "$key" ]; then
        rm -f "$dir/options"
        if ! step "$label: configure" cmake -S . "${options[@]}"; then
            [ -z "$is_new" ] || rm -rf "$dir"
            return 1
        fi
        printf '%s\n' "$key" >"$dir/options"
    fi
    step "$label" cmake --build "$dir" -j "$JOBS"
}

build_release() {
    prepare_ui && build_tree release "build" -DTIDEWAY_TESTS="${TESTS:-OFF}"
}

build_asan() {
    prepare_ui && build_tree asan "build (ASan, UBSan)"
}

build_tsan() {
    prepare_ui && build_tree tsan "build (TSan)"
}

build_fuzz() {
    UI=OFF build_tree fuzz "build (fuzz)"
}

# Tests are built where they were built before: leaving them out again would only cost time.
keep_tests() {
    TESTS=OFF
    if grep -qs '^TIDEWAY_TESTS:BOOL=ON' build/CMakeCache.txt; then
        TESTS=ON
    fi
}

verb_build() {
    require build ui
    keep_tests
    build_release || die "the build failed"
    say "built: build/tideway"
}
