"""How many sync errors are open in a person's encoded state, without decoding the rest of it."""

from __future__ import annotations

import msgspec


class _Errors(msgspec.Struct, array_like=True):
    """A person's state down to its errors, everything else passed over."""

    marketo: msgspec.Raw
    dynamics: msgspec.Raw
    record_type: msgspec.Raw
    syncable: msgspec.Raw
    at_rest: msgspec.Raw
    moving: msgspec.Raw
    errors: dict[str, msgspec.Raw]


_errors = msgspec.msgpack.Decoder(_Errors)


def errors_in(encoded: bytes) -> int:
    """The number of errors that are open in a state as it stands in the table `people`."""
    return len(_errors.decode(encoded).errors)
