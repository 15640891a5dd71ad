"""YAML as people read it: ``1e-4`` is a number, ``on`` and ``no`` are words, no name comes twice.

PyYAML follows YAML 1.1, in which ``1e-4`` is a string and ``no`` is false; here plain words are
read by the rules of YAML 1.2. See https://yaml.org/spec/1.2.2/#103-core-schema.
"""

import re
from collections.abc import Hashable
from typing import Any

import yaml

__all__ = ["Dumper", "Loader"]

FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.inf$|\.nan$")
WORDS = (
    ("tag:yaml.org,2002:bool", re.compile("true$|True$|TRUE$|false$|False$|FALSE$"), "tTfF"),
    ("tag:yaml.org,2002:null", re.compile("null$|Null$|NULL$|~$|$"), ["n", "N", "~", ""]),
    ("tag:yaml.org,2002:int", re.compile("[-+]?[0-9]+$"), "-+0123456789"),
    ("tag:yaml.org,2002:float", FLOAT, "-+.0123456789"),
)
"""What plain words mean; an integer is one before it is a float."""


class Loader(yaml.SafeLoader):
    """Reads plain data by the rules of YAML 1.2 and refuses a name that comes twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML adds to it by class

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping, whose names must be distinct."""
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, name in enumerate(names):
            if name in names[:place]:
                mark = node.value[place][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} comes twice", mark)
        return super().construct_mapping(node, deep=deep)


class Dumper(yaml.SafeDumper):
    """Writes plain data so that `Loader` reads the same."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


def _decimal(loader: Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


for _tag, _words, _first in WORDS:
    Loader.add_implicit_resolver(_tag, _words, list(_first))
    Dumper.add_implicit_resolver(_tag, _words, list(_first))
Loader.add_constructor("tag:yaml.org,2002:int", _decimal)  # 010 is ten, not eight
