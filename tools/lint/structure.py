"""structure.py: holds the tree against the floors of docs/architecture.md.

An include goes down the floors, never up; there is no cycle between headers, between units (a .c file with its header) or
between folders; folders and files stay small enough to be read. Prints what does not hold; the exit code says whether anything
did not.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER_FILES_MAX = 30  # files of C in a folder
FILE_LINES_MAX = 400
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)

# From the ground up: a folder, the folders that it may include besides itself, the libraries that it may include.
FLOORS = {
    "base": ([], ["uv.h"]),
    "tls": (["base"], ["uv.h", "openssl/"]),
    "runtime/model": (["base"], []),
    "runtime/tokens": (["base", "runtime/model"], ["uv.h"]),
    "runtime": (["base", "runtime/model", "runtime/tokens"], ["uv.h"]),
    "runtime/memory": (["base", "runtime/model", "runtime"], ["uv.h"]),
    "runtime/redis/client": (["base", "tls"], ["uv.h", "hiredis/", "openssl/"]),
    "runtime/redis/protocol": (["base", "runtime/model"], ["openssl/"]),
    "runtime/redis/lane": (["base", "runtime/model", "runtime", "runtime/redis/client", "runtime/redis/protocol"],
                           ["uv.h", "jansson.h", "hiredis/"]),
    "runtime/redis": (["base", "tls", "runtime/model", "runtime", "runtime/redis/client", "runtime/redis/protocol",
                       "runtime/redis/lane"],
                      ["uv.h", "jansson.h", "hiredis/", "openssl/"]),
    "handlers/clients": (["base"], ["openssl/"]),
    "handlers/tokens": (["base"], ["jansson.h", "openssl/", "cjose/"]),
    "handlers": (["base", "runtime/model", "runtime/tokens", "runtime", "handlers/clients",
                  "handlers/tokens"], ["uv.h", "jansson.h", "openssl/", "h2o"]),
    "handlers/stream": (["base", "runtime/model", "runtime", "handlers/clients", "handlers/tokens", "handlers"],
                        ["uv.h", "jansson.h", "openssl/", "h2o"]),
    "handlers/admin": (["base", "runtime/model", "runtime", "handlers/clients", "handlers/tokens", "handlers", "handlers/stream"],
                       ["uv.h", "jansson.h", "openssl/", "h2o"]),
    "server/options": (["base", "runtime/redis/client", "handlers/clients", "handlers/tokens"], []),
    "server/commands": (["base", "handlers/tokens", "server/options"], ["openssl/"]),
    "server": (["base", "tls", "runtime/model", "runtime", "runtime/memory", "runtime/redis", "handlers/clients",
                "handlers/tokens", "handlers", "server/options", "server/commands"],
               ["uv.h", "jansson.h", "openssl/", "h2o"]),
}
LIBRARIES = ["uv.h", "jansson.h", "hiredis/", "openssl/", "cjose/", "h2o"]
GENERATED = ["tideway_version.h", "tideway_openapi.h", "tideway_scripts.h", "admin-ui/assets.h"]


def files_of(folder):
    return sorted(path for path in (ROOT / folder).glob("*.[ch]"))


def includes_of(path):
    """What a file includes: (name, whether it is written in quotes)."""
    return [(quoted or angled, bool(quoted)) for quoted, angled in INCLUDE.findall(path.read_text())]


def check_includes(folder, path):
    """Yields what a file must not include."""
    folders, libraries = FLOORS[folder]
    for name, quoted in includes_of(path):
        where = f"{path.relative_to(ROOT)}: includes {name}"
        if not quoted:
            known = next((library for library in LIBRARIES if name.startswith(library)), None)
            if known is not None and known not in libraries:
                yield f"{where}, a library that {folder}/ must not know"
            continue
        target = str(pathlib.PurePosixPath(name).parent)
        if name in GENERATED:
            continue
        if target not in FLOORS:
            yield f"{where}: not a folder of the product"
        elif target != folder and target not in folders:
            yield f"{where}, which is not below {folder}/"


def check_size(folder):
    paths = files_of(folder)
    if len(paths) > FOLDER_FILES_MAX:
        yield f"{folder}/: {len(paths)} files of C, at most {FOLDER_FILES_MAX}"
    for path in paths:
        lines = path.read_text().count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{path.relative_to(ROOT)}: {lines} lines, at most {FILE_LINES_MAX}"


def check_folders():
    """Yields the folders with files of C that have no floor."""
    for top in sorted({folder.split("/", maxsplit=1)[0] for folder in FLOORS}):
        folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / top).rglob("*.[ch]")}
        for folder in sorted(folders - set(FLOORS)):
            yield f"{folder}/: a folder without a floor in tools/lint/structure.py"


def cycles(edges):
    """The strongly connected parts of a graph that are cycles, by Tarjan's algorithm."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def graphs():
    """Which header includes which, and the same of units and folders."""
    headers, units, folders = {}, {}, {}
    for folder in FLOORS:
        for path in files_of(folder):
            name = str(path.relative_to(ROOT))
            unit = name[:-2]
            for target, quoted in includes_of(path):
                if not quoted or "/" not in target:
                    continue
                target_folder = str(pathlib.PurePosixPath(target).parent)
                if name.endswith(".h"):
                    headers.setdefault(name, set()).add(target)
                if target[:-2] != unit:
                    units.setdefault(unit, set()).add(target[:-2])
                if target_folder != folder:
                    folders.setdefault(folder, set()).add(target_folder)
    return {"headers": headers, "units": units, "folders": folders}


def main():
    problems = list(check_folders())
    for folder in [*FLOORS, "deps/h2o/src", "deps/h2o/src/h2o"]:
        problems += check_size(folder)
    for folder in FLOORS:
        for path in files_of(folder):
            problems += check_includes(folder, path)
    for kind, edges in graphs().items():
        problems += [f"a cycle of {kind}: {', '.join(part)}" for part in cycles(edges)]
    print("\n".join(problems) or "every include goes down, and there is no cycle")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
