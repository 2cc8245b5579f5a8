"""Early answers to curl, nghttp and Node.js: the clients must report the answer, and no error."""

import shutil
import subprocess

import pytest

SIZES = [1000, 100000, 3000000]

NODE = """
const request = require('http2').connect(process.argv[1], {rejectUnauthorized: false})
    .request({':method': 'POST', ':path': process.argv[2]}, {endStream: false})
let status, body = ''
request.on('response', head => { status = head[':status'] })
request.on('data', data => { body += data })
request.on('error', error => { console.log(error.message); process.exit(1) })
request.on('close', () => { console.log(body + ' ' + status); process.exit(0) })
const size = Number(process.argv[3])
size < 0 ? request.write(Buffer.alloc(1000)) : request.end(Buffer.alloc(size))
"""


def run(*command, stdin=None):
    result = subprocess.run(command, stdin=stdin, capture_output=True, timeout=60)
    assert result.returncode == 0, (result.returncode, result.stdout, result.stderr)
    return result.stdout.decode()


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def curl(server, path, *arguments, **options):
    url = f"https://127.0.0.1:{server.tls_port}{path}"
    return run("curl", "-sS", "-k", "-w", " %{http_code}", "-X", "POST", *arguments, url, **options)


@pytest.fixture
def body(tmp_path):
    def make(size):
        path = tmp_path / f"body{size}"
        path.write_bytes(b"x" * size)
        return str(path)

    return make


@needs("curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", ["/drop", "/drop-late", "/hold-drop"])
def test_curl__reports_the_early_answer(server, body, version, size, path):
    assert curl(server, path, version, "--data-binary", "@" + body(size)) == "dropped 202"
    assert curl(server, path, version, "-T", body(size), "-H", "Transfer-Encoding: chunked") == "dropped 202"
    assert curl(server, path, version, "-H", "Expect: 100-continue", "--data-binary", "@" + body(size)) == "dropped 202"


@needs("curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl__reports_the_early_answer_to_a_body_that_never_ends(start_server, version):
    server = start_server(early_ms=300)
    body = subprocess.Popen(["sh", "-c", "head -c 1000 /dev/zero; exec sleep 1.5"], stdout=subprocess.PIPE)
    try:
        assert curl(server, "/drop", version, "-T", "-", stdin=body.stdout) == "dropped 202"
    finally:
        body.kill()
        body.wait()


@needs("curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl__reports_that_the_body_was_too_large(server, body, version):
    assert curl(server, "/echo", version, "--data-binary", "@" + body(3000000)) == '{"error":413} 413'


@needs("curl")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("path", ["/echo", "/hold-read"])
def test_curl__bodies_that_are_wanted_arrive(server, body, version, path):
    assert curl(server, path, version, "--data-binary", "@" + body(1000000)) == "entity=1000000 200"


@needs("nghttp")
@pytest.mark.parametrize("size", SIZES)
def test_nghttp__reports_the_early_answer(server, body, size):
    assert "dropped" in run("nghttp", "-d", body(size), f"https://127.0.0.1:{server.tls_port}/drop")


@needs("node")
@pytest.mark.parametrize("size", [*SIZES, -1])
@pytest.mark.parametrize("path", ["/drop", "/hold-drop"])
def test_node__reports_the_early_answer(start_server, size, path):
    server = start_server(early_ms=500)
    assert run("node", "-e", NODE, f"https://127.0.0.1:{server.tls_port}", path, str(size)).strip() == "dropped 202"
