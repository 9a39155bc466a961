"""Typed settings from conf/ and flows/: an unknown key is an error that names its path."""

from gateway.config.loader import (
    Configuration,
    Reading,
    builtin_file,
    load,
    load_flows,
    load_partners,
    read,
)

__all__ = [
    "Configuration",
    "Reading",
    "builtin_file",
    "load",
    "load_flows",
    "load_partners",
    "read",
]
