"""What a notebook says of its flow, read without running it: the name, and the parameters as a form."""

import ast
import contextlib
import json
from pathlib import Path

from helpers import parameters

PYTHON_TYPES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean", "list": "array"}


def flow_name(notebook: Path) -> str:
    """The name of a notebook's flow, as its first `@flow` says; the notebook's own where there is none."""
    cells = json.loads(notebook.read_text(encoding="utf-8")).get("cells", [])
    for cell in cells:
        with contextlib.suppress(SyntaxError):
            statements = ast.parse("".join(cell["source"])).body if cell["cell_type"] == "code" else []
            for statement in statements:
                for decorator in getattr(statement, "decorator_list", []):
                    called = decorator.func if isinstance(decorator, ast.Call) else decorator
                    if getattr(called, "id", getattr(called, "attr", None)) == "flow":
                        return _named(decorator) or statement.name.replace("_", "-")
    return notebook.stem


def _named(decorator: ast.expr) -> str | None:
    for keyword in getattr(decorator, "keywords", []):
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return None


def parameter_schema(notebook: Path) -> dict:
    """The notebook's parameters as a JSON schema, from which Prefect's page makes the form of a run by hand."""
    declared = parameters.declared(notebook)
    properties = {}
    for position, (name, parameter) in enumerate(declared.items()):
        facts = {"title": name, "description": parameter.help, "position": position, "default": parameter.default}
        if kind := PYTHON_TYPES.get(parameter.type_name, "object" if parameter.type_name == "dict" else None):
            facts["type"] = kind
        if parameter.required:
            del facts["default"]
        properties[name] = facts
    required = [name for name, parameter in declared.items() if parameter.required]
    return {"title": "Parameters", "type": "object", "properties": properties, "required": required}
