# lint: formatting, static analysis, layering. The scripts are in tools/lint/.
use build

# Prints our own files, NUL-separated: the patched library and generated files are not ours to format.
sources() {
    git ls-files -z --cached --others --exclude-standard -- "$@"
}

lint_format() {
    sources '*.c' '*.h' | xargs -0r clang-format --dry-run -Werror
}

lint_structure() {
    "$PYTHON" -B tools/lint/structure.py && "$PYTHON" -B tools/lint/callers.py
}

lint_tidy() {
    "$PYTHON" tools/lint/tidy.py build "$JOBS"
}

lint_cppcheck() {
    mkdir -p build/cppcheck
    sources '*.c' | tr '\0' '\n' | cppcheck --file-list=- --quiet --std=c11 -j "$JOBS" \
        --cppcheck-build-dir=build/cppcheck --enable=warning,performance,portability \
        --inline-suppr --include="/usr/include/$(cc -print-multiarch)/sys/queue.h" \
        --suppressions-list=tools/lint/cppcheck.suppress --error-exitcode=1 \
        -D_GNU_SOURCE -I . -I build/generated
}

lint_shell() {
    local scripts=(tools/*.sh)
    while IFS= read -r -d '' file; do
        if [ -f "$file" ] && head -c 64 "$file" | head -n 1 | grep -qaE '^#!.*\b(ba|da)?sh\b'; then
            scripts+=("$file")
        fi
    done < <(sources)
    shellcheck -x "${scripts[@]}"
}

lint_ui() {
    [ "$UI" = OFF ] || npm --prefix admin-ui run lint
}

lint_python() {
    sources '*.py' | xargs -0r pyflakes3
}

# The scripts that run inside Redis: each parses with what the build puts in front of it, names no global of its own
# and no key but below the lane, and says what it takes and answers.
lint_lua() {
    local code=0 script part
    for script in runtime/redis/scripts/*.lua; do
        { cat runtime/redis/scripts/prelude.lua
          sed -n 's/^-- With: //p' "$script" | while IFS= read -r part; do cat "runtime/redis/scripts/$part"; done
          cat "$script"; } | luac5.1 -l -p - | awk -v script="$script" '
            /SETGLOBAL/ { print script ": assigns the global " $NF; bad = 1 }
            END { exit bad }' || code=1
        grep -qE "^-- (ARGV|Part of|The build)" "$script" || { say "$script: says nothing of its inputs"; code=1; }
    done
    return "$code"
}

# Those of the examples' languages whose formatters are here.
lint_examples() {
    local code=0
    if command -v gofmt >/dev/null; then
        gofmt -d examples/go | tee /dev/stderr | wc -l | grep -qx 0 || code=1
    fi
    if command -v rustfmt >/dev/null; then
        sources 'examples/rust/*.rs' | xargs -0r rustfmt --check --edition 2021 || code=1
    fi
    return "$code"
}

verb_lint() {
    local failed=() check
    require build ui test lint
    TESTS=ON build_release || die "the build failed"
    for check in structure:lint_structure hosts:tools/lint/hosts format:lint_format \
        shellcheck:lint_shell pyflakes:lint_python lua:lint_lua admin-ui:lint_ui examples:lint_examples \
        cppcheck:lint_cppcheck clang-tidy:lint_tidy; do
        step "lint: ${check%%:*}" "${check#*:}" || failed+=("${check%%:*}")
    done
    [ "${#failed[@]}" -eq 0 ] || die "lint has findings: ${failed[*]}"
    say "lint: no findings"
}
