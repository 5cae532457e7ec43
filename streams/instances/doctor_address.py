"""Is there a host of this name, does it answer, is its certificate trusted: asked before any credential is sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

from streams.connectors.settings import tls_context
from streams.instances.doctor_steps import Line, failed, well

SECONDS_MAX = 10.0
PORTS = {"https": 443, "http": 80}


async def check_address(url: str, setting: str, ca_file: str | None, ca_setting: str) -> list[Line]:
    """One line. `setting`: the variable that holds the address; `ca_setting`: the one for certificates of one's own."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        addresses = await asyncio.wait_for(
            asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM), SECONDS_MAX
        )
    except (OSError, UnicodeError, TimeoutError) as error:
        return failed(f"{host} does not resolve ({_reason(error)})", f"check {setting}, and this machine's name server")
    if parts.scheme == "http":
        return await _connected(
            host, port, None, setting, ca_setting, f"{host}:{port} answers; plain http, on this machine"
        )
    found = f"{host} resolves ({addresses[0][4][0]}), and its certificate is trusted"
    return await _connected(host, port, tls_context(ca_file), setting, ca_setting, found)


async def _connected(
    host: str, port: int, tls: ssl.SSLContext | None, setting: str, ca_setting: str, found: str
) -> list[Line]:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=tls), SECONDS_MAX)
    except ssl.SSLCertVerificationError as error:
        remedy = f"check {setting}; where a proxy signs with a certificate of its own, name its file in {ca_setting}"
        return failed(f"{host}: its certificate is not trusted ({error.verify_message})", remedy)
    except ssl.SSLError as error:
        return failed(f"{host}:{port} speaks no TLS ({error.reason})", f"check {setting}")
    except (OSError, TimeoutError) as error:
        return failed(
            f"{host}:{port} does not answer ({_reason(error)})",
            f"check {setting}, and what stands between (firewall, proxy)",
        )
    writer.close()
    return well(found)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing in {SECONDS_MAX:.0f} seconds"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
