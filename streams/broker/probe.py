"""Asks a broker one real question, ApiVersions, by hand: no client library, no event loop, no thread."""

from __future__ import annotations

import socket
import struct

API_VERSIONS = 18
CORRELATION_ID = 1
CLIENT_ID = b"leadsync"


def answers(host: str, port: int, seconds_max: float = 1.0) -> bool:
    """True when the broker handles requests; a port that is merely open does not count."""
    header = struct.pack(">hhih", API_VERSIONS, 0, CORRELATION_ID, len(CLIENT_ID)) + CLIENT_ID
    try:
        with socket.create_connection((host, port), seconds_max) as connection:
            connection.sendall(struct.pack(">i", len(header)) + header)
            reply = connection.makefile("rb").read(10)
    except OSError:
        return False
    if len(reply) < 10:
        return False
    _size, correlation_id, error_code = struct.unpack(">iih", reply)
    return bool(correlation_id == CORRELATION_ID and error_code == 0)
