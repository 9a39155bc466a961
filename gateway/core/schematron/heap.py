"""Keeps the heap of SaxonC small in a process that lives long.

SaxonC is Java compiled to a library (GraalVM Native Image), with a heap of its own that nobody can
set limits to from outside: the library reads no environment variable, and saxonche starts it
without arguments. Left alone it gives new objects more room each time a collection is dear. They
are dear while rule packs are compiled, for nearly everything lives on; afterwards a judge holds
150 MB of room that it does not need. The one moment at which the library takes arguments is when
its heap (an "isolate") is made. So it is made here, by GraalVM's function for it, before saxonche
would make one, and left where saxonche looks for one that is there already.

Where it looks is not published. So this is done only with versions of saxonche that it is known
of. With any other SaxonC starts as it always does, and only takes more memory.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import sys
from pathlib import Path
from typing import Final

KNOWN_VERSIONS: Final = frozenset({"13.1.1"})
"""Of saxonche, on Linux: those whose library was looked at, and tried."""

YOUNG_MB: Final = 16
"""Room for new objects, after which the collector looks through them. Judging a common invoice
makes a few MB; half as much room, or twice as much, made no difference to its time."""

_PARAMETERS_VERSION: Final = 3
"""Of the structure below: the first that has arguments."""

_ENVIRONMENT: Final = "_ZN14SaxonProcessor11sxn_environE"
_IS_MADE: Final = "_ZN14SaxonProcessor13jvmCreatedCPPE"
"""The C++ names of SaxonProcessor::sxn_environ and ::jvmCreatedCPP."""


class _Parameters(ctypes.Structure):
    """graal_create_isolate_params_t (graal_isolate.h)."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("reserved_address_space_size", ctypes.c_size_t),
        ("auxiliary_image_path", ctypes.c_char_p),
        ("auxiliary_image_reserved_space_size", ctypes.c_size_t),
        ("argc", ctypes.c_int),
        ("argv", ctypes.POINTER(ctypes.c_char_p)),
        # More follows in later versions, which the library does not read of this one.
        ("later", ctypes.c_char * 64),
    )


class _Environment(ctypes.Structure):
    """sxnc_environment (SaxonCGlue.h)."""

    _fields_ = (
        ("isolate", ctypes.c_void_p),
        ("thread", ctypes.c_void_p),
        ("main_thread", ctypes.c_void_p),
    )


def keep_small(young_mb: int = YOUNG_MB) -> bool:
    """Start SaxonC, in this thread, with so much room for new objects.

    False when that cannot be done here, or when it has been started already: then nothing is
    changed.
    """
    if sys.platform != "linux" or _saxonche_version() not in KNOWN_VERSIONS:
        return False
    import saxonche  # noqa: F401 - loads the libraries

    core, glue = _library("libsaxonc-core-he"), _library("libsaxonc-he")
    if core is None or glue is None:
        return False
    try:
        is_made = ctypes.c_int.in_dll(glue, _IS_MADE)
        place = ctypes.c_void_p.in_dll(glue, _ENVIRONMENT)
        create = core.graal_create_isolate
    except (AttributeError, ValueError):
        return False
    if is_made.value or place.value:
        return False
    environment = _made(create, f"-Xmn{young_mb}m")
    if environment is None:
        return False
    place.value = environment
    is_made.value = 1
    return True


def give_back() -> None:
    """Give the system what the C library keeps of memory that is free again.

    Compiling makes large trees of elements and lets them go; what is freed between things that
    stay is not given back by itself.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, others do not
    if trim is not None:
        trim(0)


def _made(create: ctypes._NamedFuncPointer, *arguments: str) -> int | None:
    """The address of an environment with a new isolate; None when the library refuses.

    SaxonC frees the environment when the process ends, so it is from malloc.
    """
    words = ["saxon", *arguments]  # the first stands for the program's name
    argv = (ctypes.c_char_p * (len(words) + 1))(*(word.encode() for word in words), None)
    parameters = _Parameters(version=_PARAMETERS_VERSION, argc=len(words), argv=argv)
    libc = ctypes.CDLL(None)
    libc.calloc.restype = ctypes.c_void_p
    address: int | None = libc.calloc(ctypes.c_size_t(1), ctypes.sizeof(_Environment))
    if address is None:
        return None
    environment = _Environment.from_address(address)
    isolate, thread = ctypes.c_void_p(), ctypes.c_void_p()
    if create(ctypes.byref(parameters), ctypes.byref(isolate), ctypes.byref(thread)):
        libc.free(ctypes.c_void_p(address))
        return None
    environment.isolate, environment.thread = isolate.value, thread.value
    environment.main_thread = thread.value
    return address


def _saxonche_version() -> str:
    try:
        return importlib.metadata.version("saxonche")
    except importlib.metadata.PackageNotFoundError:
        return ""


def _library(name: str) -> ctypes.CDLL | None:
    """The library of that name which this process has loaded."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return None
    files = (line.split(maxsplit=5)[5] for line in lines if f"/{name}" in line)
    file = next(files, None)
    return None if file is None else ctypes.CDLL(file)
