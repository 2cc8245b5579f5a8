"""The developer's commands (dev, tools/): what they do before they build, and what a failure leaves behind."""

import shutil
import subprocess

import pytest

from lib.paths import ROOT


FAKE_CMAKE = """#!/bin/sh
mkdir -p build-fuzz && echo "$@" >>build-fuzz/CMakeCache.txt
[ -f clang-is-here ] && echo >build-fuzz/build.ninja
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder that has the tools and nothing to build, with a cmake that needs clang."""
    for name in ("tools", "CMakePresets.json"):
        (tmp_path / name).symlink_to(ROOT / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "cmake").write_text(FAKE_CMAKE)
    (programs / "cmake").chmod(0o755)
    return tmp_path


def run(checkout, script):
    """Runs a script with the functions of the tools at hand: (exit code, output)."""
    result = subprocess.run(
        ["bash", "-euc", f'PATH="$PWD/bin:$PATH"; set -o pipefail; . tools/lib.sh; {script}'], cwd=checkout,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def test_build__a_tree_that_cannot_be_configured_leaves_nothing_behind(checkout):
    assert run(checkout, "use build; build_fuzz")[0] != 0
    assert not (checkout / "build-fuzz").exists()
    (checkout / "clang-is-here").touch()
    code, output = run(checkout, "use build; build_fuzz")
    assert code == 0, output


def test_build__a_tree_that_was_good_survives_a_failed_configure(checkout):
    (checkout / "clang-is-here").touch()
    assert run(checkout, "use build; build_fuzz")[0] == 0
    (checkout / "clang-is-here").unlink()
    assert run(checkout, "use build; UI=OFF build_tree fuzz fuzz -DANOTHER=ON")[0] != 0
    assert (checkout / "build-fuzz" / "build.ninja").exists()


def test_build__after_a_failed_configure_the_former_options_are_configured_again(checkout):
    (checkout / "clang-is-here").touch()
    assert run(checkout, "use build; build_fuzz")[0] == 0
    (checkout / "clang-is-here").unlink()
    assert run(checkout, "use build; UI=OFF build_tree fuzz fuzz -DANOTHER=ON")[0] != 0
    (checkout / "clang-is-here").touch()
    code, output = run(checkout, "use build; build_fuzz")
    assert code == 0, output
    assert "configure: done" in output


def test_test__what_all_areas_need_is_installed_before_anything_is_built(checkout):
    code, output = run(checkout, """
        use test
        require() { echo "require $*"; }
        build_ahead() { echo "build ahead $*"; }
        PYTHON=true
        for area in "${AREAS[@]}"; do eval "test_$area() { echo area $area; }"; done
        verb_test hostile fuzz""")
    assert code == 0, output
    assert output.splitlines()[0] == "require build ui test fuzz"
    assert output.splitlines()[-1] == "area fuzz"


@pytest.mark.parametrize("arguments, listen, tls, url", [
    ("", "", "", "https://127.0.0.1:8443"),
    ("--listen 127.0.0.1:9999", "", "", "https://127.0.0.1:9999"),
    ("--listen=0.0.0.0:9999 --tls off", "127.0.0.1:1", "", "http://127.0.0.1:9999"),
    ("--tls=on", "[::]:7777,127.0.0.1:1", "off", "https://127.0.0.1:7777"),
])
def test_run__knows_where_the_gateway_listens(checkout, arguments, listen, tls, url):
    code, output = run(checkout, f"""
        use run
        export TIDEWAY_LISTEN={listen} TIDEWAY_TLS={tls}
        reachable_url "$(option_value TIDEWAY_LISTEN 127.0.0.1:8443 {arguments})" "$(option_value TIDEWAY_TLS on {arguments})"
        """)
    assert (code, output.strip()) == (0, url)


def test_run__the_development_certificate_stays(checkout):
    shown = "development_certificate; openssl x509 -in $TIDEWAY_TLS_CERT -noout -fingerprint"
    first = run(checkout, f"export XDG_STATE_HOME=$PWD/state; use run; {shown}")
    assert first[0] == 0 and "Fingerprint=" in first[1]
    assert run(checkout, f"export XDG_STATE_HOME=$PWD/state; use run; {shown}") == first
    assert (checkout / "state/tideway").stat().st_mode & 0o077 == 0


def test_run__a_port_that_is_taken_is_not_said_to_be_served(checkout):
    code, output = run(checkout, """
        use run
        curl() { :; }
        (exit 1) & pid=$!
        wait $pid || true
        await_gateway $pid https://127.0.0.1:1 || echo "it does not listen""" + '"')
    assert output.strip() == "it does not listen"


def test_test__an_unknown_area_is_named_with_those_there_are(checkout):
    code, output = run(checkout, "use test; verb_test no-such-area")
    assert code == 1
    assert "no test area 'no-such-area'; there are: unit " in output


@pytest.fixture
def repository(tmp_path):
    """A repository with the check of commit subjects and one folder, handlers/."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "check-subjects", tmp_path / "tools")
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "file").touch()
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "tools: begin"]):
        subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *command], cwd=tmp_path, check=True)
    return tmp_path


def check_subjects(repository, *arguments):
    return subprocess.run([repository / "tools" / "check-subjects", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


@pytest.mark.parametrize("subject, complaint", [
    ("handlers: count what is refused", ""),
    ("handlers, tools: count what is refused", ""),
    ("handlers: " + "x" * 63, "73 characters, at most 72"),
    ("count what is refused", "not of the form"),
    ("handlers: count what is refused.", "no full stop"),
    ("kitchen: count what is refused", "no path of the tree"),
])
def test_check_subjects__says_what_is_wrong_with_a_message(repository, subject, complaint):
    (repository / "message").write_text(f"# a comment\n{subject}\n\nThe body.\n")
    result = check_subjects(repository, "--message", repository / "message")
    assert result.returncode == (1 if complaint else 0)
    assert complaint in result.stdout


def test_check_subjects__a_range_that_does_not_exist_fails(repository):
    assert check_subjects(repository, "HEAD").returncode == 0
    assert check_subjects(repository, "no-such-branch..HEAD").returncode != 0
