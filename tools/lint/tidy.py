"""tidy.py BUILD JOBS: clang-tidy over every C source of the project that BUILD compiles.

A file that passed is not checked again until it, one of the project's headers, the checks or its
compile command changes.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXTRA = ["--quiet", "--extra-arg=-Wno-unknown-warning-option"]


def git_files(*patterns):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name for name in output.decode().split("\0") if name]


def digest(*parts):
    state = hashlib.sha256()
    for part in parts:
        state.update(part if isinstance(part, bytes) else part.encode())
        state.update(b"\0")
    return state.hexdigest()


def check(build, source):
    result = subprocess.run(["clang-tidy", "-p", str(build), *EXTRA, str(source)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode == 0 and not result.stdout.strip():
        return ""
    return result.stdout or result.stderr


def main():
    build = (ROOT / sys.argv[1]).resolve()
    passed = build / "tidy"
    passed.mkdir(exist_ok=True)
    commands = {entry["file"]: entry["command"]
                for entry in json.loads((build / "compile_commands.json").read_text())}
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    common = digest(version, (ROOT / ".clang-tidy").read_bytes(),
                    *(path.read_bytes() for path in sorted(git_files("*.h")) if path.exists()))
    todo = {}
    for source in git_files("*.c"):
        if source.exists() and str(source) in commands:
            key = digest(common, source.read_bytes(), commands[str(source)])
            if not (passed / key).exists():
                todo[source] = passed / key
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(int(sys.argv[2])) as pool:
        checks = {pool.submit(check, build, source): source for source in todo}
        for number, done in enumerate(concurrent.futures.as_completed(checks), 1):
            source = checks[done]
            text = done.result()
            print(f"[{number}/{len(checks)}] {source.relative_to(ROOT)}", flush=True)
            if text:
                findings += 1
                print(text, flush=True)
            else:
                todo[source].touch()
    return 1 if findings else 0


sys.exit(main())
