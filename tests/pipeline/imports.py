"""Which files of ours a script runs."""

import ast
from pathlib import Path

from tests.pipeline.recording import ROOT, Run, within

# Plumbing that every stage passes through and that cannot change what it computes.
LAZY = "evenkeel/__init__.py"  # imports what it offers only when that is asked for
PLUMBING = {
    LAZY,
    "evenkeel/errors.py",
    "evenkeel/execution",
    "evenkeel/files",
    "evenkeel/lock.py",
    "evenkeel/params",
    "evenkeel/progress.py",
    "evenkeel/terminal.py",
    "stages/__init__.py",
    "stages/check_params.py",
    "stages/command.py",
}


def _module_file(module: str) -> str | None:
    for file in (
        Path(*module.split(".")).with_suffix(".py"),
        Path(*module.split(".")) / "__init__.py",
    ):
        if (ROOT / file).is_file():
            return str(file)
    return None


def imports(file: str) -> set[str]:
    """Files of ours that `file` imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import name`: the name may be a module of the package.
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {m for m in found if m.split(".")[0] in ("evenkeel", "stages")}
    return {file for m in ours if (file := _module_file(m))}


def closure(file: str) -> set[str]:
    """`file`, and every file of ours that it imports, directly or not."""
    seen: set[str] = set()
    todo = {file}
    while todo:
        seen |= (todo := todo - seen)
        todo = {found for each in todo - {LAZY} for found in imports(each)}
    return seen


def check_code(run: Run) -> None:
    """A stage declares the code that it runs, and no other."""
    script = run.command[2].replace(".", "/") + ".py"
    used = {
        file
        for file in closure(script)
        if not within(file, PLUMBING) and (ROOT / file).stat().st_size
    }
    modules = {path for path in run.declared_code if path.endswith(".py") or (ROOT / path).is_dir()}
    undeclared = {file for file in used if not within(file, modules)}
    unused = {path for path in modules if not any(within(file, {path}) for file in used)}
    assert not undeclared, f"{run.name} runs code that dvc.yaml does not name"
    assert not unused, f"{run.name} does not run code that dvc.yaml names"
