"""Checks the three files of a pipeline against their contract by the syntax tree; runs nothing.

What only shows when the code runs (shapes, types, weights that load back) is the dry run's matter.
"""

import ast
import io
import tokenize
import unicodedata
from collections.abc import Iterator

from improve_git.domain import FILES

MAX_BYTES = 200_000
FUNCTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "data.py": {
        "build_loaders": ("train_samples", "tune_samples", "spec"),
        "eval_transform": ("spec",),
    },
    "model.py": {"build_model": ("spec", "pretrained")},
    "train.py": {"train": ("model", "train_loader", "tune_loader", "spec", "report")},
}
_DEFAULTS = {("build_model", "pretrained")}  # parameters that must have a default
_SPACES = "\t\n\r\f"
_COMPONENTS = {name.removesuffix(".py") for name in FILES.values()}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def check(files: dict[str, str]) -> list[str]:
    """Return the breaches of the contract as messages that an engineer can act on; [] if none.

    Args:
        files: ``data.py``, ``model.py`` and ``train.py`` -> source.
    """
    breaches = []
    for name, functions in FUNCTIONS.items():
        if name not in files:
            breaches.append(f"{name} is missing")
        else:
            breaches += [f"{name}: {breach}" for breach in _check_file(files[name], functions)]
    return breaches


def same_code(one: str, other: str) -> bool:
    """Say whether two sources are the same program: comments and layout do not count."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return one == other


def form(function: str) -> str:
    """Return how a function of the contract is called and what it takes."""
    [parameters] = [own[function] for own in FUNCTIONS.values() if function in own]
    return f"{function}({', '.join(parameters)})".replace("pretrained", "pretrained=True")


def missing(function: str) -> str:
    """Return the breach that a function of the contract is not there."""
    return f"def {form(function)} is missing at the top level"


def _check_file(source: str, functions: dict[str, tuple[str, ...]]) -> list[str]:
    breaches = list(_check_text(source))
    if breaches:  # not fit to be parsed
        return breaches
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [f"line {error.lineno}: not Python: {error.msg}"]
    except (ValueError, RecursionError, MemoryError) as error:
        return [f"cannot be parsed: {error or type(error).__name__}"]
    breaches += _check_names(source)
    breaches += _check_imports(tree)
    for function, parameters in functions.items():
        breaches += _check_function(tree, function, parameters)
    return breaches


def _check_text(source: str) -> Iterator[str]:
    try:
        size = len(source.encode())
    except UnicodeEncodeError as error:
        yield f"is no UTF-8 text (character {error.start})"
        return
    if size > MAX_BYTES:
        yield f"is {size:,} bytes long; at most {MAX_BYTES:,} are allowed: keep data out of it"
    for number, line in enumerate(source.split("\n"), start=1):
        for character in line:
            # Control and formatting characters make a reader see other code than Python runs.
            if unicodedata.category(character) in ("Cc", "Cf") and character not in _SPACES:
                yield f"line {number}: holds the invisible character U+{ord(character):04X}: remove"
                return


def _check_names(source: str) -> Iterator[str]:
    """Names are ASCII: letters of other alphabets look the same to a reader and are not."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME and not token.string.isascii():
                yield (
                    f"line {token.start[0]}: the name {token.string!a} is not plain ASCII; "
                    "write it with the letters a to z"
                )
                return
    except (tokenize.TokenError, SyntaxError) as error:
        yield f"cannot be read: {error}"


def _check_imports(tree: ast.Module) -> Iterator[str]:
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    for node in imports:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"line {node.lineno}: relative import; the three files are no package"
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in _COMPONENTS:
                yield (
                    f"line {node.lineno}: imports {name}; components are changed one at a time, "
                    "so none may import another: pass what is needed through spec or the model"
                )


def _check_function(tree: ast.Module, name: str, parameters: tuple[str, ...]) -> Iterator[str]:
    wanted = f"def {form(name)}"
    found = [node for node in tree.body if isinstance(node, Function) and node.name == name]
    if not found:
        yield missing(name)
        return
    node = found[-1]  # the definition that is in force
    if isinstance(node, ast.AsyncFunctionDef):
        yield f"line {node.lineno}: {name} is async; write a plain function: {wanted}"
        return
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    given = tuple(argument.arg for argument in positional)
    required = len(positional) - len(arguments.defaults)
    extra_required = given[len(parameters) : required] + tuple(
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    )
    if given[: len(parameters)] != parameters or arguments.posonlyargs:
        yield f"line {node.lineno}: {name}({', '.join(given)}) should be {wanted}"
    elif extra_required:
        yield f"line {node.lineno}: {name} must not require {', '.join(extra_required)}: {wanted}"
    for index, parameter in enumerate(parameters):
        if (name, parameter) in _DEFAULTS and index < required and not extra_required:
            yield f"line {node.lineno}: {parameter} of {name} needs a default: {wanted}"
    if any(isinstance(inner, ast.Yield | ast.YieldFrom) for inner in _own_nodes(node)):
        yield f"line {node.lineno}: {name} is a generator; it must return its result"


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Walk a function's body without the functions defined in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
