# deps [GROUP...]: installs what is needed, and knows what that is.

# Packages of Debian 12, by what needs them.
declare -gA PACKAGES=(
    [build]="gcc g++ libc6-dev cmake ninja-build make patch pkg-config dpkg-dev ca-certificates curl openssl
        libuv1-dev libssl-dev libjansson-dev libcjose-dev libhiredis-dev libyaml-dev
        zlib1g-dev"
    [ui]="nodejs npm"
    [test]="git libcmocka-dev libfaketime liblua5.1-0-dev libnghttp2-dev python3 python3-pytest python3-pytest-xdist python3-h2 python3-hpack
        python3-jwt python3-cryptography nghttp2-client redis-server openssl procps iproute2 util-linux"
    [e2e]="firefox-esr python3-venv curl jq libssl-dev pkg-config cargo-web rustc-web"
    [fronts]="nginx-light haproxy apache2-bin varnish caddy redis-server openssl"
    [browser]="chromium nginx-light redis-server openssl python3 python3-hpack python3-h2"
    [lint]="git clang-format clang-tidy cppcheck shellcheck python3 pyflakes3 lua5.1"
    [fuzz]="clang libclang-rt-14-dev"
    [valgrind]="valgrind libc6-dbg"
    [bench]="git libnghttp2-dev nginx-light libnginx-mod-nchan nghttp2-client"
    [contract]="openssl python3 python3-pytest python3-h2 python3-hpack python3-venv"
    [redis]="python3-venv"
    [helm]="curl python3-venv python3-yaml"
    [image]="buildah debootstrap"
)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# The packages that the groups name and the machine has not, one a line.
missing_packages() {
    local group package
    for group in "$@"; do
        [ -n "${PACKAGES[$group]:-}" ] || die "no group '$group'; there are: ${!PACKAGES[*]}"
        if [ "$group" = ui ] && command -v node >/dev/null && command -v npm >/dev/null; then
            continue # whoever installed a Node.js of their own keeps it
        fi
        for package in ${PACKAGES[$group]}; do
            if [[ $package =~ ^(cargo|rustc)-web$ ]] && command -v cargo >/dev/null; then
                continue # the same for Rust; Debian's Go is too old for the examples
            fi
            [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
                say "$package"
        done
    done
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update
    as_root apt-get install -y --no-install-recommends "$@"
}

fetch_h2o() {
    if deps/h2o/fetch; then
        return 0
    fi
    [ "$(id -u)" -ne 0 ] || return 1
    as_root deps/h2o/fetch && as_root chown -R "$(id -u):$(id -g)" build-deps
}

# Python packages that Debian has not, as tests/contract/requirements.txt pins them.
install_contract_tools() {
    rm -rf build-deps/contract
    "$PYTHON" -m venv build-deps/contract || return 1
    build-deps/contract/bin/pip install --disable-pip-version-check --require-hashes \
        -r tests/contract/requirements.txt
}

# require GROUP...: what the groups need is there, or is installed, or the user is told what is missing.
require() {
    local missing
    missing=$(missing_packages "$@") || exit 1
    mapfile -t missing < <(sort -u <<<"$missing" | sed '/^$/d')
    if [ "${#missing[@]}" -gt 0 ]; then
        command -v apt-get >/dev/null ||
            die "this is not a Debian system; install the equivalents of: ${missing[*]}"
        if [ "$(id -u)" -ne 0 ]; then
            if ! command -v sudo >/dev/null || ! sudo -v; then
                die "packages are missing and this user may not install them; as root:" \
                    "apt-get install ${missing[*]}"
            fi
        fi
        say "packages: installing ${missing[*]}"
        step "packages" install_packages "${missing[@]}" ||
            die "apt-get could not install the packages"
    fi
    [ ! -x deps/h2o/fetch ] || once h2o-source "$(hash_of deps/h2o/fetch deps/h2o/version deps/h2o/sha256sums)" "h2o source" fetch_h2o ||
        die "the source of h2o could not be fetched"
    if [[ " $* " == *" contract "* ]]; then
        once contract-tools "$(hash_of tests/contract/requirements.txt)" "contract tools" \
            install_contract_tools || die "pip could not install the contract tools"
    fi
}

build_h2spec() {
    local target=$ROOT/build-deps/bin
    mkdir -p "$target" && cd tests/h2spec && go build -o "$target/h2spec" github.com/summerwind/h2spec/cmd/h2spec
}

# The HTTP/2 conformance tester, from its Go module; without it its tests say that they are skipped.
get_h2spec() {
    if command -v go >/dev/null; then
        once h2spec "$(hash_of tests/h2spec)" "h2spec" build_h2spec
    elif [ ! -x build-deps/bin/h2spec ]; then
        say "h2spec: left out, it needs Go"
    fi
}

verb_deps() {
    local groups=("$@")
    [ "${#groups[@]}" -gt 0 ] || groups=("${!PACKAGES[@]}")
    require "${groups[@]}"
    [[ " ${groups[*]} " != *" test "* ]] || get_h2spec || die "h2spec could not be built"
    say "dependencies: complete (${groups[*]})"
}
