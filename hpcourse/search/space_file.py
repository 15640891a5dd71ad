"""Search spaces as plain data, for a YAML file.

A parameter is a mapping whose first word says what it is; anything else is a fixed value::

    lr:        {real: [1e-4, 1e-1], log: true}
    batch:     {choice: [16, 32, 64], ordered: true}
    decay:     {normal: [-7, 1], log: true, low: 1e-6}      # of the logarithm
    optimizer: {choice: [sgd, adam]}
    momentum:  {real: [0, 0.99], when: {optimizer: sgd}}
    beta2:     {real: [0.9, 0.999], when: {optimizer: [adam, adamw]}}  # one of these
    layers:    {integer: [1, 3]}
    units:     {list: {integer: [8, 256], log: true}, length: layers}
    kernel:    {list: [{integer: [1, 7], step: 2}, 3]}       # entries one by one
    window:    {rounded: {real: [16, 512], log: true}, step: 16, integer: true}
    head:      {choice: [{fixed: linear}, {box: {dropout: {real: [0, 0.5]}}}]}
    epochs:    5
    betas:     {fixed: {first: 0.9}}                         # needed for a mapping
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from hpcourse._check import require
from hpcourse.search._yaml import Dumper, Loader
from hpcourse.search.domains import Choice, Fixed, Integer, Normal, Parameter, Real, Rounded
from hpcourse.search.space import Box, List, When

__all__ = ["read_space", "space_from", "space_to", "write_space"]

Data = Mapping[str, Any]


def space_from(data: Data) -> Box:
    """The box that plain data describe; see `hpcourse.search.space_file` for the format.

    Args:
        data: Name to parameter.

    Raises:
        ValueError: Quoting the path and the value of what is wrong.

    Examples:
        >>> space_from({"lr": {"real": [1e-4, 0.1], "log": True}, "epochs": 5})
        Box({'lr': Real(low=0.0001, high=0.1, log=True, step=None), 'epochs': Fixed(value=5)})
        >>> space_from({"lr": {"real": [1e-4]}})
        Traceback (most recent call last):
        ...
        ValueError: 'lr' needs [low, high] as real, got real=[0.0001]
    """
    require(
        isinstance(data, Mapping) and bool(data), "A space needs names and parameters", data=data
    )
    box = _box(data, "")
    try:
        return Box(box)
    except TypeError as error:
        raise ValueError(f"A space needs parameters: {error}") from error


def space_to(box: Box) -> dict[str, Any]:
    """Plain data of a box, from which `space_from` makes an equal one.

    Examples:
        >>> space_to(Box({"lr": Real(1e-4, 0.1, log=True), "kind": Choice(("a", "b"))}))
        {'lr': {'real': [0.0001, 0.1], 'log': True}, 'kind': {'choice': ['a', 'b']}}
    """
    return {name: _data(parameter) for name, parameter in box.parameters.items()}


def read_space(path: str | Path) -> Box:
    """The space in a YAML file; numbers such as ``1e-4`` are numbers, ``on`` and ``no`` are words.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no YAML, names a parameter twice, or describes no space; the message
            has the path.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        return space_from(yaml.load(text, Loader))  # a safe loader of ours
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ValueError(f"{path}: {place}{error.problem or error.context}") from error
    except RecursionError:
        raise ValueError(f"{path}: a value contains itself") from None
    except (yaml.YAMLError, ValueError) as error:  # a UnicodeDecodeError is one
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error


def write_space(box: Box, path: str | Path) -> None:
    """Write a space to a YAML file that `read_space` reads."""
    text = yaml.dump(space_to(box), Dumper=Dumper, sort_keys=False, default_flow_style=None)
    Path(path).write_text(text, encoding="utf-8")


def _box(data: Any, path: str) -> dict[str, Parameter]:
    require(isinstance(data, Mapping), f"{path!r} needs names and parameters", box=data)
    return {name: _parameter(own, f"{path}.{name}" if path else name) for name, own in data.items()}


def _parameter(data: Any, path: str) -> Parameter:
    """One parameter with its conditions."""
    if not isinstance(data, Mapping):
        return _made(path, Fixed, data)
    words = [word for word in data if word in READERS]
    if "rounded" in words:
        words = ["rounded"]  # whose option is called `integer`
    require(len(words) == 1, f"{path!r} needs one of {', '.join(READERS)}", parameter=dict(data))
    word = words[0]
    options = {name: value for name, value in data.items() if name not in (word, "when")}
    parameter = READERS[word](data[word], options, path)
    conditions = data.get("when", {})
    require(
        isinstance(conditions, Mapping), f"{path!r} needs {{name: value}} as when", when=conditions
    )
    for name, values in reversed(conditions.items()):
        parameter = When(name, tuple(values) if isinstance(values, list) else values, parameter)
    return parameter


def _made(path: str, kind: Callable[..., Parameter], *given: Any, **options: Any) -> Parameter:
    """A parameter; what it refuses is told with the path."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    for name, value in options.items():
        require(name in known, f"{path!r} has no option {name!r}", **{name: value})
    try:
        return kind(*given, **options)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path!r}: {error}") from None


def _numbers(kind: Callable[..., Parameter], names: str) -> Callable[[Any, Data, str], Parameter]:
    """Reads a domain that is described by two numbers and options."""

    def read(given: Any, options: Data, path: str) -> Parameter:
        word = kind.__name__.lower()
        two = isinstance(given, list) and len(given) == 2
        require(two, f"{path!r} needs {names} as {word}", **{word: given})
        return _made(path, kind, *given, **options)

    return read


def _choice(given: Any, options: Data, path: str) -> Parameter:
    require(isinstance(given, list), f"{path!r} needs a list as choice", choice=given)
    values = [
        _parameter(value, f"{path}<{k}>") if isinstance(value, Mapping) else value
        for k, value in enumerate(given)
    ]
    # A fixed value among the options is a plain one.
    plain = [value.value if isinstance(value, Fixed) else value for value in values]
    weights = options.get("weights")
    listed = weights is None or isinstance(weights, list)
    require(listed, f"{path!r} needs a list as weights", weights=weights)
    return _made(path, Choice, tuple(plain), **options)


def _list(given: Any, options: Data, path: str) -> Parameter:
    if isinstance(given, list):
        items = tuple(_parameter(own, f"{path}[{k}]") for k, own in enumerate(given))
        return _made(path, List, items, **options)
    require("length" in options, f"{path!r} needs a length", list=given)
    return _made(path, List, _parameter(given, f"{path}[]"), **options)


def _rounded(given: Any, options: Data, path: str) -> Parameter:
    require("step" in options, f"{path!r} needs a step", rounded=given)
    return _made(path, Rounded, _parameter(given, path), **options)


def _nested(given: Any, options: Data, path: str) -> Parameter:
    require(not options, f"{path!r} has no options of a box", options=dict(options))
    return Box(_box(given, path))


def _fixed(given: Any, options: Data, path: str) -> Parameter:
    return _made(path, Fixed, given, **options)


READERS: Mapping[str, Callable[[Any, Data, str], Parameter]] = {
    "real": _numbers(Real, "[low, high]"),
    "integer": _numbers(Integer, "[low, high]"),
    "normal": _numbers(Normal, "[mean, std]"),
    "rounded": _rounded,
    "choice": _choice,
    "list": _list,
    "box": _nested,
    "fixed": _fixed,
}
"""The words that say what a parameter is."""


def _data(parameter: Parameter) -> Any:
    """Plain data of a parameter."""
    conditions = {}
    while isinstance(parameter, When):
        values = parameter.values
        many = list(values) if isinstance(values, tuple) else values
        require(parameter.name not in conditions, "space_to: twice a condition", on=parameter.name)
        conditions[parameter.name] = [many] if isinstance(values, list) else many
        parameter = parameter.parameter
    plain = _of(parameter)
    if not conditions:
        return plain
    return {**(plain if isinstance(plain, dict) else {"fixed": plain}), "when": conditions}


def _of(parameter: Parameter) -> Any:
    """Plain data of a parameter without conditions."""
    found: Any
    match parameter:
        case Box():
            found = {"box": space_to(parameter)}
        case Fixed(value=value):
            found = _option(value)
        case Choice():
            options = [_option(value) for value in parameter.values]
            found = {"choice": options, **_options(parameter, "weights", "ordered")}
        case List():
            item = parameter.item
            items = [_data(own) for own in item] if isinstance(item, tuple) else _data(item)
            found = {"list": items, **_options(parameter, "length")}
        case Rounded():
            found = {"rounded": _of(parameter.domain), **_options(parameter, "step", "integer")}
        case Normal():
            own = _options(parameter, "log", "low", "high", "step")
            found = {"normal": [parameter.mean, parameter.std], **own}
        case Real() | Integer():
            word, own = type(parameter).__name__.lower(), _options(parameter, "log", "step")
            found = {word: [parameter.low, parameter.high], **own}
        case _:
            raise ValueError(f"space_to knows no such parameter, got {parameter!r}")
    return found


def _option(value: Any) -> Any:
    """An option of a choice: a parameter or a plain value."""
    if isinstance(value, Parameter):
        return _data(value)
    return {"fixed": value} if isinstance(value, dict) else value


def _options(parameter: Any, *names: str) -> dict[str, Any]:
    """Fields that are not at their defaults."""
    found = {}
    for field in fields(parameter):
        value = getattr(parameter, field.name)
        if field.name in names and value != field.default:
            found[field.name] = list(value) if isinstance(value, tuple) else value
    return found
