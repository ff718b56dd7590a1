"""The bounds of a key of desk.toml in words. Called by app.home.settings for the one line that a fault becomes.

A pydantic model and the path of a key -> "above 0, at most 0.9", or "" where the key is bounded by words alone.
"""

from collections.abc import Sequence
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

SHOWN_MAX = 60  # characters of a value or a key that are repeated


def bounds_of(model: type[BaseModel], where: Sequence[str | int]) -> str:
    """The numeric or length bounds of the field at `where`."""
    field: FieldInfo | None = None
    at: Any = model
    for part in where:
        inner = _model_in(at)
        if inner is not None and part in inner.model_fields:
            field = inner.model_fields[str(part)]
            at = field.annotation
        elif isinstance(part, str) and inner is not None and field is None:
            return ""
    return "" if field is None or _model_in(field.annotation) is not None else words_of(field.metadata)


def words_of(metadata: Sequence[Any]) -> str:
    """Constraints in words."""
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
                found.append(f"at most {one.max_length} characters")
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
