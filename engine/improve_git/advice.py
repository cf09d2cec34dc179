"""What a person can do about files that do not keep the contract: the nearest right form of each.

Beyond the contract, it names what an agent is told by its prompts and a sandbox by failing: files
of the project that are not there in a sandbox, code that runs at import, a training that tells
nothing. Reads syntax trees; runs nothing.
"""

import ast
import difflib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from improve_git import contract
from improve_git.contract import FUNCTIONS, Function

ENGINE = __name__.partition(".")[0]
LIKENESS = 0.5  # of two names, from which one is taken for the other
_PURPOSES = {
    "build_loaders": "returns the loaders of train and tune: batches of images and labels",
    "eval_transform": "returns a function from one PIL image to a tensor (C, H, W)",
    "build_model": "returns a module from images (N, C, H, W) to logits (N, spec.num_classes)",
    "train": "trains the model, calls report(epoch=..., loss=...) each epoch, returns the model",
}


def advise(files: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    """Return what is to be mended, a line each; [] if nothing is.

    Args:
        files: those of data.py, model.py and train.py that are there -> source.
        others: the project's other Python files -> source.
    """
    taken = {name: path for name in FUNCTIONS if name not in files
             if (path := _nearest_file(name, others))}  # fmt: skip
    sources = {**files, **{name: others[path] for name, path in taken.items()}}
    breaches = contract.check(sources)
    told: list[str] = []
    for name, functions in FUNCTIONS.items():
        if name in taken:
            told.append(f"{name} is missing; nearest is {taken[name]}: rename it to {name}")
        elif name not in files:
            forms = " and ".join(map(contract.form, functions))
            told.append(f"{name} is missing: add it, it defines {forms}")
            continue
        shown = taken.get(name, name)
        own = [breach for breach in breaches if breach.startswith(f"{name}: ")]
        told += [f"{shown}: {_nearest(name, breach, sources, others)}" for breach in own]
        if tree := _tree(sources[name]):
            told += [f"{shown}: {line}" for line in _beyond(name, tree, others)]
    return told


def _nearest_file(name: str, others: Mapping[str, str]) -> str | None:
    """Return the file that has a missing one's name elsewhere, its functions, or a similar name."""
    for path, source in others.items():
        defined = {node.name for node in _functions(_tree(source))}
        if PurePosixPath(path).name == name or defined & FUNCTIONS[name].keys():
            return path
    stems = {PurePosixPath(path).stem: path for path in others}
    near = difflib.get_close_matches(PurePosixPath(name).stem, stems, 1, LIKENESS)
    return stems[near[0]] if near else None


def _nearest(name: str, breach: str, files: Mapping[str, str], others: Mapping[str, str]) -> str:
    """Return a breach of a file; for a missing function, what comes nearest to it instead."""
    said = breach.removeprefix(f"{name}: ")
    for function in FUNCTIONS[name]:
        if said == contract.missing(function):
            return _nearest_function(name, function, files, others)
    return said


def _nearest_function(
    name: str, function: str, files: Mapping[str, str], others: Mapping[str, str]
) -> str:
    tree = _tree(files[name])
    top = {node.name: node for node in _functions(tree) if node.name not in FUNCTIONS[name]}
    if near := difflib.get_close_matches(function, top, 1, LIKENESS):
        node = top[near[0]]
        given = ", ".join(argument.arg for argument in [*node.args.posonlyargs, *node.args.args])
        return (
            f"line {node.lineno}: {node.name}({given}) found: rename it to "
            f"{contract.form(function)}"
        )
    for inner in ast.walk(tree) if tree else ():
        if isinstance(inner, Function) and inner.name == function:
            return (
                f"line {inner.lineno}: {function} is inside of something: move it to the top level"
            )
    for other, source in {**files, **others}.items():
        if other != name and function in {node.name for node in _functions(_tree(source))}:
            return f"{function} is in {other}: move it to {name}"
    return f"add def {contract.form(function)}, which {_PURPOSES[function]}"


def _beyond(name: str, tree: ast.Module, others: Mapping[str, str]) -> Iterator[str]:
    """Say what the contract's check lets pass and a sandbox would not, or would not show."""
    beside = {PurePosixPath(path).parts[0].removesuffix(".py") for path in others}
    for node in ast.walk(tree):
        for root in _imported(node):
            if root == ENGINE:
                yield f"line {_line(node)}: imports {root}: take it out, a pipeline stands alone"
            elif root in beside:
                yield (
                    f"line {_line(node)}: imports {root}, a file of yours: a sandbox gets the "
                    f"three files alone, so move what is needed into {name}"
                )
    for statement in _run_at_import(tree.body, _names(tree)):
        yield (
            f"line {statement.lineno}: {_shown(statement)} runs at import: put it into a function, "
            'or under if __name__ == "__main__":'
        )
    for function in _functions(tree):
        if name == "train.py" and function.name == "train" and _is_silent(function):
            yield (
                f"line {function.lineno}: train never calls report: call "
                "report(epoch=epoch, loss=...) each epoch, for the learning curve"
            )


def _imported(node: ast.AST) -> list[str]:
    """Return the first part of each module that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [(node.module or "").split(".")[0]]
    return []


def _names(tree: ast.Module) -> set[str]:
    """Return the names that the file's imports bind."""
    imports = (n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom))
    return {(a.asname or a.name).split(".")[0] for node in imports for a in node.names}


def _run_at_import(body: list[ast.stmt], libraries: set[str]) -> Iterator[ast.stmt]:
    """Yield loops and calls at the top level; settings of a library, such as of warnings, pass."""
    for node in body:
        reads_words = isinstance(node, ast.Assign) and "parse_args" in ast.unparse(node.value)
        if reads_words or isinstance(node, ast.For | ast.While | ast.With):
            yield node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            while isinstance(called, ast.Attribute):
                called = called.value
            if not (isinstance(called, ast.Name) and called.id in libraries):
                yield node
        elif isinstance(node, ast.Try):
            yield from _run_at_import(node.body, libraries)
        elif isinstance(node, ast.If) and "__name__" not in ast.unparse(node.test):
            yield from _run_at_import([*node.body, *node.orelse], libraries)


def _is_silent(train: Function) -> bool:
    return "report" in {argument.arg for argument in train.args.args} and not any(
        isinstance(node, ast.Name) and node.id == "report" for node in ast.walk(train)
    )


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _functions(tree: ast.Module | None) -> list[Function]:
    return [node for node in tree.body if isinstance(node, Function)] if tree else []


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _shown(node: ast.stmt) -> str:
    first = ast.unparse(node).split("\n", 1)[0]
    return first if len(first) <= 40 else f"{first[:39]}…"
