"""NumPy's .npy files, in archives too: their headers as text, their numbers as floats."""

from __future__ import annotations

import struct
from random import Random

from fuzz.mutations.octets import octets
from fuzz.mutations.packed import in_zip
from fuzz.mutations.tensors import odd_floats

__all__ = ["npy", "npz"]

_MAGIC = b"\x93NUMPY"
_HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f8', 'fortran_order': True, 'shape': (), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<U9', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1 << 40), }",
    "__import__('os').system('id')",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (2, 2), }",
    "(" * 500,
]
_WORDS = ["<f4", "<f2", "<f8", "<i4", "|b1", "<c8", "|V9", "False", "True", "24", "29", "74", "72",
          "-1", "0", "4294967296", "18446744073709551616", "()", "(1,)"]  # fmt: skip


def npy(chance: Random, data: bytes) -> bytes:
    """An array damaged."""
    if not data.startswith(_MAGIC) or len(data) < 10 or chance.random() < 0.3:
        return octets(chance, data)
    size = struct.unpack_from("<H", data, 8)[0]
    header, body = data[10 : 10 + size].decode("latin-1"), data[10 + size :]
    match chance.randrange(4):
        case 0:
            body = odd_floats(chance, body)
        case 1:
            header = chance.choice(_HEADERS)
        case _:
            old = chance.choice(["<f4", "False", "24", "29", "74", "72", "(", ",", "'shape'"])
            header = header.replace(old, chance.choice(_WORDS), 1)
    new = header.encode("latin-1")
    return data[:8] + struct.pack("<H", len(new)) + new + body


npz = in_zip(npy)
