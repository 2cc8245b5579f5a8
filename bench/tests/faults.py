"""faults.py TW_LOAD TW_FLOOR RESULT: the load generator notices each kind of wrong delivery.

A checker that never complains proves nothing: here a server loses, repeats, swaps and alters events
on purpose. Writes JUnit XML to RESULT; the exit code says whether all was noticed.
"""

import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

# What the server does to every tenth of 40 events, and the count that must say so, for 20 streams.
CASES = {
    None: {},
    "lose": {"lost": 80},
    "repeat": {"duplicates": 80},
    "swap": {"out_of_order": 60, "lost": 20},
    "alter": {"corrupt": 80},
}
CHECKS = ("lost", "duplicates", "out_of_order", "disagreeing_streams", "foreign", "corrupt")


def load(tw_load, port):
    command = [tw_load, f"--connect=127.0.0.1:{port}", "--connections=2", "--streams=10",
               "--events=40", "--warmup-ms=0", "--in-flight=20", "--stall-ms=700",
               "--deadline-ms=20000"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60,
                            check=False)
    return result.returncode, json.loads(result.stdout)["verification"]


def check(tw_load, tw_floor, fault, expected):
    """A line that says what is wrong, or None."""
    with subprocess.Popen([tw_floor, *([fault] if fault else [])],
                          stdout=subprocess.PIPE) as server:
        try:
            code, seen = load(tw_load, int(server.stdout.readline()))
        finally:
            server.terminate()
    wanted = {name: expected.get(name, 0) for name in CHECKS}
    # An altered event is neither in its place nor anywhere else.
    if fault == "alter":
        wanted["lost"] = 80
    got = {name: seen[name] for name in CHECKS}
    if got != wanted:
        return f"{fault}: expected {wanted}, got {got}"
    if (code == 0) != (not expected) or seen["clean"] != (not expected):
        return f"{fault}: exit code {code}, clean {seen['clean']}"
    return None


def main():
    tw_load, tw_floor, path = sys.argv[1:]
    suite = ElementTree.Element("testsuite", name="bench faults")
    failed = False
    for fault, expected in CASES.items():
        case = ElementTree.SubElement(suite, "testcase", classname="bench faults",
                                      name=f"notices {fault or 'nothing where nothing is wrong'}")
        problem = check(tw_load, tw_floor, fault, expected)
        if problem:
            failed = True
            print(problem)
            ElementTree.SubElement(case, "failure", message=problem)
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="unicode", xml_declaration=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
