"""How the process gets its memory from the system."""

import ctypes
import subprocess
import sys

import pytest

_THREADS = """
import ctypes, sys, threading
from importer.common.memory import use_few_arenas
if "few" in sys.argv: use_few_arenas()
library = ctypes.CDLL(None)
library.malloc.restype = library.fdopen.restype = ctypes.c_void_p
everyone = threading.Barrier(9)
def work():
    library.malloc(100_000)
    everyone.wait()
for _ in range(8): threading.Thread(target=work).start()
everyone.wait()
library.malloc_info(0, ctypes.c_void_p(library.fdopen(1, b"w")))
library.fflush(None)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not glibc")
@pytest.mark.parametrize(("words", "arenas"), [(["few"], 2), ([], 3)])
def test_threads_share_arenas(words: list[str], arenas: int) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _THREADS, *words], capture_output=True, text=True, check=True
    ).stdout
    found = told.count("<heap ")
    assert found <= arenas if words else found >= arenas
