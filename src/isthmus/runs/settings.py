"""From what a user types to an estimator: `--set a.b=v`, TOML files, kinds and parts by their names."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from isthmus._constraints import AnyOf, Constraint, Each
from isthmus._spec import Spec, family
from isthmus.assembly import SLOTS
from isthmus.errors import SettingError, nearest
from isthmus.estimators import Autoencoder
from isthmus.loading import MODULES
from isthmus.zoo import KINDS

WORDS = {"none": None, "null": None, "true": True, "false": False}
PLURALS = {slot: f"{slot}s" for slot in SLOTS} | {"penalty": "penalties"}
DECIDED = {"code_size": "--code-size", "random_state": "--seeds", "seed": "--seeds", "seeds": "--seeds"}
CONFIG_KEYS = ("data", "kind", "code_size", "seed", "images", "settings")


def parse_assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Settings by name from texts such as `hidden=512,256`.

    Raises
    ------
    SettingError
        Where a text is no assignment, or a name comes twice.
    """
    return {name: literal(value) for name, value in _assigned(texts, "hidden=512,256").items()}


def parse_grid(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Values to try by name, from texts such as `penalty.strength=0.01,0.1` and `hidden=512,256;128`.

    Commas separate the values, unless there are semicolons, or the setting is itself a sequence: then a comma is part
    of the value.

    Raises
    ------
    SettingError
        Where a text is no assignment, has no values, or a name comes twice.
    """
    grid: dict[str, list[Any]] = {}
    for name, text in _assigned(texts, "penalty.strength=0.01,0.1").items():
        apart = ";" if ";" in text or _takes_sequence(name) else ","
        parts = [part for part in text.split(apart) if part.strip()] if apart in text else [text]
        if not parts:
            raise SettingError(f"{name} has no values", "in --set", f"{name}=value{apart}value")
        grid[name] = [literal(part) for part in parts]
    return grid


def _assigned(texts: Iterable[str], example: str) -> dict[str, str]:
    """What stands right of each name's equals sign."""
    assigned: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise SettingError(f"{text!r} is no assignment", "in --set", f"name=value, such as {example}")
        if name in assigned:
            raise SettingError(f"{name} is set twice", "in --set", "each name once")
        assigned[name] = value
    return assigned


def refuse_decided(settings: Iterable[str], but: Iterable[str] = ()) -> None:
    """Refuse names that an option of the command line decides, `but` those that it leaves open.

    Raises
    ------
    SettingError
        Naming the option.
    """
    for name in settings:
        if name in DECIDED and name not in but:
            raise SettingError(f"{name} cannot be set here", "in --set", hint=f"{DECIDED[name]} decides it")


def _takes_sequence(name: str) -> bool:
    """Whether any part or the estimator has a setting of this name that takes several numbers, as `hidden` does."""
    tables = [Autoencoder.constraints, *(part.constraints for slot in SLOTS for part in _parts(slot).values())]
    leaf = name.rpartition(".")[2]
    return any(_is_sequence(table[leaf]) for table in tables if leaf in table)


def _is_sequence(constraint: Constraint) -> bool:
    options = constraint.options if isinstance(constraint, AnyOf) else (constraint,)
    return any(isinstance(option, Each) for option in options)


def literal(text: str) -> Any:
    """A value as it was meant: a number, true, false, none, a sequence where there are commas, else the text."""
    if "," in text:
        return tuple(literal(part) for part in text.split(",") if part.strip())
    text = text.strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for number in (int, float):
        with suppress(ValueError):
            return number(text)
    return text


def read_config(path: Path) -> dict[str, Any]:
    """A run's TOML file, its settings flattened to dotted names.

    Raises
    ------
    SettingError
        Where the file cannot be read, is not TOML, or has keys that do not exist.
    """
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise SettingError(
            f"cannot read the configuration ({fault.strerror})", f"at {path}", "a TOML file", "check the path"
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise SettingError(f"not TOML: {fault}", f"in {path}", 'lines such as kind = "sparse"') from fault
    for key in config:
        if key not in CONFIG_KEYS:
            raise SettingError(f"no such key: {key}", f"in {path}", hint=nearest(key, CONFIG_KEYS))
    settings = config.get("settings", {})
    if not isinstance(settings, dict):
        raise SettingError(f"settings is {settings!r}", f"in {path}", "a table, [settings]")
    return config | {"settings": _flatten(settings)}


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            flat[prefix + key] = WORDS.get(value.lower(), value)
        else:
            flat[prefix + key] = tuple(value) if isinstance(value, list) else value
    return flat


def build(
    kind: str,
    code_size: int | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Autoencoder:
    """The estimator of a kind with settings by dotted name, every one checked.

    Raises
    ------
    SettingError
        Where the kind or a setting does not exist, or a value does not fit.
    """
    make = find_kind(kind)
    given = dict(settings or {}) | ({} if code_size is None else {"code_size": code_size})
    defaults = own_arguments(make)
    ae = make(**{name: _fitted(given.pop(name), defaults[name]) for name in list(given) if name in defaults})
    if input_shape is not None:
        ae.set_params(input_shape=input_shape)
    for name in sorted(given, key=lambda name: name.count(".")):  # a part comes before what is set of it
        _set(ae, name, given[name], kind)
    if seed is not None:
        ae.set_params(random_state=seed)
    ae.validate()
    return ae


def find_kind(kind: str) -> Callable[..., Autoencoder]:
    """The zoo's function of that name.

    Raises
    ------
    SettingError
        Where there is none, with the nearest name.
    """
    if kind not in KINDS:
        raise SettingError(f"no kind called {kind!r}", hint=nearest(kind, KINDS))
    return KINDS[kind]


def own_arguments(make: Callable[..., Autoencoder]) -> dict[str, Any]:
    """A kind's own arguments with their defaults."""
    parameters = inspect.signature(make).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}


def _fitted(value: Any, default: Any) -> Any:
    """`hidden=512` means one layer, and a name that looks like a number is still a name."""
    if isinstance(default, tuple) and not isinstance(value, tuple):
        return (value,)
    return str(value) if isinstance(default, str) else value


def _set(ae: Autoencoder, name: str, value: Any, kind: str) -> None:
    known = {key.replace("__", "."): key for key in ae.get_params(deep=True)}
    if name not in known:
        raise _unknown(ae, name, known, kind)
    slot = name.rpartition(".")[2]
    if slot in SLOTS and isinstance(value, str):
        value = _part(slot, value)
    parent, _, leaf = known[name].rpartition("__")
    default = getattr(_at(ae, parent), leaf)
    sequence = name == "input_shape" or isinstance(default, tuple)
    ae.set_params(**{known[name]: (value,) if sequence and isinstance(value, int) else value})


def _at(ae: Autoencoder, path: str) -> Any:
    owner: Any = ae
    for name in path.split("__") if path else ():
        owner = getattr(owner, name)
    return owner


def _unknown(ae: Autoencoder, name: str, known: Iterable[str], kind: str) -> SettingError:
    slot = name.partition(".")[0]
    if "." in name and slot in SLOTS and getattr(ae, slot) is None:
        return SettingError(
            f"no such setting: {name}",
            where=f"in the kind {kind!r}, which leaves {slot} at its default",
            hint=f"choose one first: --set {slot}={' or '.join(sorted(_parts(slot)))}",
        )
    everything = {*known, *own_arguments(find_kind(kind))}
    return SettingError(f"no such setting: {name}", where=f"in the kind {kind!r}", hint=nearest(name, everything))


def _parts(slot: str) -> dict[str, type[Spec]]:
    """The specifications a slot takes, by their names in lower case."""
    module = MODULES[PLURALS[slot]]
    return {
        name.lower(): part
        for name, part in vars(module).items()
        if isinstance(part, type)
        and issubclass(part, Spec)
        and family(part) == PLURALS[slot]
        and name not in ("Penalty", "Sum", "Chain", "Network")  # an abstract base, and those that have no defaults
    }


def _part(slot: str, text: str) -> Spec:
    """A part with its defaults, by name: `penalty=contraction`, `likelihood=bernoulli`."""
    parts, name = _parts(slot), text.lower().replace("-", "").replace("_", "")
    if name not in parts:
        raise SettingError(f"no {slot} called {text!r}", f"in --set {slot}", hint=nearest(name, parts))
    return parts[name]()
