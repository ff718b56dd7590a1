"""The bounds of a key of desk.toml in words. Called by app.home.settings for the one line that a fault becomes.

A pydantic model and the path of a key -> "above 0, at most 0.9", or "" where the key is bounded by words alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

SHOWN_MAX = 60  # characters of a value or a key that are repeated


def bounds_of(model: type[BaseModel], where: Sequence[str | int]) -> str:
    """The numeric or length bounds of the field at `where`."""
    field = _field_at(model, where)
    if field is None or _model_in(field.annotation) is not None or isinstance(where[-1], int):  # one entry of many
        return ""
    of_many = {tuple, list} & {get_origin(one) for one in (field.annotation, *get_args(field.annotation))}
    return words_of(field.metadata, "entries" if of_many else "characters")


def switches_for_numbers(
    model: type[BaseModel], value: Any, where: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    """The keys that are true or false where a number belongs: pydantic would read 1 and 0."""
    if isinstance(value, bool):
        field = _field_at(model, where)
        kinds = set(leaf_kinds(field.annotation)) if field is not None else set[Any]()
        if (
            kinds & {int, float} or {type(one) for one in kinds} & {int}
        ) and bool not in kinds:  # of a Literal the words are left
            yield where
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield from switches_for_numbers(model, inner, (*where, key))


def leaf_kinds(annotation: Any) -> Iterator[Any]:
    """The types at the ends of an annotation: float of `tuple[tuple[float, float], ...] | None`."""
    parts = get_args(annotation)
    for part in parts or (annotation,):
        yield from leaf_kinds(part) if parts else (part,)


def _field_at(model: type[BaseModel], where: Sequence[str | int]) -> FieldInfo | None:
    """The field that a key path leads to, as far as models go."""
    field: FieldInfo | None = None
    at: Any = model
    for part in where:
        inner = _model_in(at)
        if inner is not None and part in inner.model_fields:
            field = inner.model_fields[str(part)]
            at = field.annotation
        elif isinstance(part, str) and inner is not None and field is None:
            return None
    return field


def words_of(metadata: Sequence[Any], parts: str = "characters") -> str:
    """Constraints in words; `parts`: what a length counts."""
    found = []
    for one in metadata:
        match one:
            case Gt():
                found.append(f"above {one.gt:g}")
            case Ge():
                found.append(f"at least {one.ge:g}")
            case Lt():
                found.append(f"below {one.lt:g}")
            case Le():
                found.append(f"at most {one.le:.15g}")
            case MaxLen():
                found.append(f"at most {one.max_length} {parts}")
    return ", ".join(found)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation holds: itself, an item of a list, a value of a table, or None beside it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        if (found := _model_in(part)) is not None:
            return found
    return None


def shown(value: Any) -> str:
    """A value of the file as it is repeated: short, whatever it was."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        text = "a number of thousands of digits"
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}... ({len(text):,} characters)"
