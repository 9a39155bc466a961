"""The fields of the canonical invoice, by the business terms they carry."""

from __future__ import annotations

import typing
from typing import Any

import msgspec

from gateway.model.invoice_types import DECIMAL_PATTERN, BusinessGroup


class ModelField(msgspec.Struct, frozen=True):
    """A field of the model: the struct it holds (None for plain text), and whether it is a list."""

    name: str
    term: str
    struct: type[BusinessGroup] | None
    repeats: bool
    decimal: bool


def model_fields(struct: type[BusinessGroup]) -> tuple[ModelField, ...]:
    """The fields of a group that carry a BT or BG id, in order."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return tuple(_model_field(name, hint) for name, hint in hints.items() if _id_of(hint))


def _id_of(hint: Any) -> str | None:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, msgspec.Meta) and extra.extra_json_schema:
            return str(extra.extra_json_schema["x-business-term"])
    return None


def _model_field(name: str, hint: Any) -> ModelField:
    inner = next(one for one in typing.get_args(hint.__origin__) or (hint.__origin__,))
    repeats = typing.get_origin(hint.__origin__) is tuple
    struct = inner if isinstance(inner, type) and issubclass(inner, BusinessGroup) else None
    decimal = any(
        isinstance(extra, msgspec.Meta) and extra.pattern == DECIMAL_PATTERN
        for extra in getattr(inner, "__metadata__", ())
    )
    return ModelField(name, _id_of(hint) or "", struct, repeats, decimal)
