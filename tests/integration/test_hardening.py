"""The hardening that SECURITY.md promises is in the binary, and in each object of libh2o and of Tideway's own libraries.

Functions without a buffer have nothing to protect, so the symbols of the protections are asked for where strangers'
bytes are parsed; the compiler's record of its options (DW_AT_producer) is asked for everywhere.
"""

import pathlib
import platform
import re
import subprocess

import pytest

from lib.paths import BINARY, SANITIZED

BUILD = pathlib.Path(BINARY).parent
LIBH2O = BUILD / "deps" / "h2o" / "build" / "libh2o.a"
PARSERS = {"connection.c.o", "hpack.c.o", "http1.c.o", "picohttpparser.c.o", "socket.c.o"}  # those with buffers
FLAGS = ["-fstack-protector-strong", "-fstack-clash-protection"]
if platform.machine() == "x86_64":
    FLAGS.append("-fcf-protection=full")

pytestmark = [
    pytest.mark.skipif(SANITIZED, reason="sanitizers replace what is looked for"),
    pytest.mark.skipif(not LIBH2O.exists(), reason="the binary is not where it was built"),
]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout


def undefined_symbols(path):
    return set(re.findall(r" U (\w+)", run("nm", path)))


def objects_of(library, folder):
    """The objects of a static library, unpacked: path by name. Names that occur twice are kept apart."""
    names = run("ar", "t", library).split()
    for index, name in enumerate(names):
        target = folder / f"{index}"
        target.mkdir()
        run("ar", f"--output={target}", "xN", str(names[: index + 1].count(name)), library, name)
        yield name, target / name


def libraries():
    return [LIBH2O, *sorted(BUILD.glob("libtw_*.a")), *sorted(BUILD.glob("deps/h2o/libh2o_lean.a"))]


def test_program__is_position_independent_with_full_relro():
    assert re.search(r"Type:\s+DYN", run("readelf", "-hW", BINARY))
    segments = run("readelf", "-lW", BINARY)
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK .* RW +0x", segments), "the stack is executable"
    dynamic = run("readelf", "-dW", BINARY)
    assert "BIND_NOW" in dynamic and re.search(r"FLAGS_1.*NOW.*PIE", dynamic)


def test_program__has_stack_protector_and_fortified_calls():
    symbols = undefined_symbols(BINARY)
    assert "__stack_chk_fail" in symbols
    assert {"__memcpy_chk", "__snprintf_chk"} <= symbols


def test_libraries__are_compiled_with_every_flag(tmp_path):
    checked = 0
    for library in libraries():
        (folder := tmp_path / library.name).mkdir()
        for name, path in objects_of(library, folder):
            debug = run("readelf", "-p.debug_str", "-p.debug_line_str", path)
            producer = re.search(r"GNU C\d+ .*", debug)
            assert producer, f"{library.name}: {name} has no record of its options"
            missing = [flag for flag in FLAGS if flag not in producer[0]]
            assert not missing, f"{library.name}: {name} was compiled without {missing}"
            checked += 1
    assert checked > 100


def test_parsers__have_stack_protector_and_fortified_calls(tmp_path):
    seen, fortified = set(), set()
    for name, path in objects_of(LIBH2O, tmp_path):
        symbols = undefined_symbols(path)
        if "__stack_chk_fail" in symbols:
            seen.add(name)
        fortified |= {symbol for symbol in symbols if symbol.endswith("_chk")}
    assert PARSERS <= seen
    assert {"__memcpy_chk", "__sprintf_chk"} <= fortified
