"""Makes a copy of a generated AWS SDK crate that has only some of its operations, and prints where its lib.rs is.

Usage: fewer_operations.py SOURCE DIRECTORY OPERATION...

SOURCE is the crate's src. Its files are linked, not copied, and never changed; only the lists of modules, and the
functions and impls that stand for single operations, are written anew, with fewer items, in the crate's order and
words. What the operations do not reach, directly or not, is left out. The copy's name is made of what it was made from,
so that it is made once, and two compilers that want it at once do not meet.
"""

import hashlib
import os
import re
import sys
import tempfile
from functools import cache
from pathlib import Path

# Files that name an operation's or a type's module, or hold an item for each.
LISTS = [
    "client.rs", "error_meta.rs", "lens.rs", "operation.rs", "protocol_serde.rs", "serde_util.rs", "types.rs", "types/builders.rs", "waiters.rs",
]
REFERENCE = re.compile(r"crate::(types|protocol_serde|serde_util|lens)::(?:builders::)?(\w+)")
MODULE = re.compile(r"^(?:pub(?:\(crate\))? )?mod (\w+);", re.M)
EXPORT = re.compile(r"^pub use crate::types::(_\w+)::(\w+);", re.M)


def items(text):
    """The items of a generated file, each with the comments and attributes before it."""
    found, lines = [], []
    for line in text.splitlines(keepends=True):
        lines.append(line)
        is_code = line.strip() and not line.startswith(("//", "#"))
        ends = line.startswith("}") or (line[0] not in " )" and line.rstrip().endswith((";", "}")))
        if is_code and ends:
            found.append("".join(lines))
            lines = []
    return found + ["".join(lines)]


def function(item):
    match = re.search(r"^pub(?:\(crate\))? fn (\w+)", item, re.M)
    return match and match[1]


class Crate:
    """A crate's source, and what of it some operations reach."""

    def __init__(self, source, operations):
        self.source = Path(source)
        self.operations = set(operations)
        self.modules = {name: module for index in ("types.rs", "types/builders.rs") for module, name in EXPORT.findall(self.read(index))}
        helpers = [item for index in ("serde_util.rs", "lens.rs") for item in items(self.read(index))]
        self.helpers = {function(item): item for item in helpers if function(item)}
        self.reached = set()
        self.reach()

    @cache
    def read(self, name):
        return (self.source / name).read_text()

    def has(self, name):
        return (self.source / name).exists()

    def reach(self):
        """Follows every reference from the operations on."""
        todo = []
        for operation in sorted(self.operations):
            files = [f"operation/{operation}.rs", f"client/{operation}.rs"]
            files += [path.relative_to(self.source) for path in (self.source / "operation" / operation).rglob("*.rs")]
            todo += [self.read(str(file)) for file in files]
        while todo:
            for kind, name in REFERENCE.findall(todo.pop()):
                name = self.modules.get(name) if kind == "types" else name
                if name is None or (kind, name) in self.reached:
                    continue
                if kind in ("serde_util", "lens"):
                    text = self.helpers.get(name)
                else:
                    text = self.read(f"{kind}/{name}.rs") if self.has(f"{kind}/{name}.rs") else None
                if text is not None:
                    self.reached.add((kind, name))
                    todo.append(text)

    def keeps(self, index, item):
        kind = index.removesuffix(".rs")
        code = "\n".join(line for line in item.splitlines() if not line.startswith(("//", "#")))
        if index in ("serde_util.rs", "lens.rs"):
            return not function(item) or (kind, function(item)) in self.reached
        if index == "error_meta.rs":
            named = re.findall(r"crate::operation::(\w+)", code)
            return all(name in self.operations for name in named if self.has(f"operation/{name}.rs"))
        exported, module = EXPORT.search(code), MODULE.search(code)
        if exported:
            return ("types", exported[1]) in self.reached
        if index == "waiters.rs":
            return not module
        if module and kind in ("client", "operation"):
            return module[1] in self.operations or not self.has(f"operation/{module[1]}.rs")
        if module and self.has(f"{kind}/{module[1]}.rs"):
            return (kind, module[1]) in self.reached or module[1] in ("builders", "error")
        return not (index == "client.rs" and re.search(r"^(pub trait|impl) Waiters", code, re.M))

    def write(self, copy):
        (copy / "types").mkdir(parents=True)
        for folder in (".", "types"):
            for path in (self.source / folder).iterdir():
                name = os.path.normpath(f"{folder}/{path.name}")
                if name in LISTS:
                    (copy / name).write_text("".join(item for item in items(self.read(name)) if self.keeps(name, item)))
                elif name != "types":
                    (copy / name).symlink_to(path)


def main(source, directory, *operations):
    made_of = "\n".join([source, *operations, Path(__file__).read_text()])
    copy = Path(directory).resolve() / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        begun = Path(tempfile.mkdtemp(dir=copy.parent))
        Crate(source, operations).write(begun / "src")
        try:
            (begun / "src").rename(copy)
        except OSError:  # Another compiler was first.
            if not copy.exists():
                raise
    print(copy / "lib.rs")


if __name__ == "__main__":
    main(*sys.argv[1:])
