"""regression.py BUILD SECONDS JOBS RESULT: all fuzz targets, JOBS at once: every committed input, then
SECONDS of new ones each. Writes a JUnit report to RESULT; exits with 1 if a target fails."""

import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

HERE = pathlib.Path(__file__).resolve().parent
TAIL = 4000


def run(build, target, seconds):
    """(target, seconds it took, what it printed or None when it passed)"""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as found:
        result = subprocess.run([HERE / "run", build, target, seconds, found], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
    output = result.stdout.decode(errors="replace")
    executed = [line for line in output.splitlines() if "stat::number_of_executed_units" in line]
    print(f"{target}: {'passed' if result.returncode == 0 else 'FAILED'}; inputs: "
          f"{' + '.join(line.split()[-1] for line in executed) or 'none'}", flush=True)
    # A target without inputs has checked nothing.
    failed = result.returncode != 0 or not executed
    return target, time.monotonic() - start, output[-TAIL:] if failed else None


def printable(text):
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def main():
    build, seconds, jobs, report = sys.argv[1:]
    build = pathlib.Path(build).resolve()
    targets = sorted(path.stem for path in HERE.glob("fuzz_*.c"))
    with concurrent.futures.ThreadPoolExecutor(int(jobs)) as pool:
        results = list(pool.map(lambda target: run(build, target, seconds), targets))
    failures = sum(output is not None for _, _, output in results)
    suite = xml.Element("testsuite", name="fuzz", tests=str(len(results)), failures=str(failures),
                        errors="0", skipped="0")
    for target, took, output in results:
        case = xml.SubElement(suite, "testcase", classname="fuzz", name=target, time=f"{took:.1f}")
        if output is not None:
            print(printable(output))
            xml.SubElement(case, "failure", message="the target ended").text = printable(output)
    pathlib.Path(report).parent.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(suite).write(report, encoding="utf-8", xml_declaration=True)
    return 1 if failures or not targets else 0


sys.exit(main())
