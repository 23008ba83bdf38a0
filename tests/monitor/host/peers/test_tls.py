"""Whoever has the secret is let in, and nobody else; over real sockets."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from monitor.host.peers.tls import contexts

SECRET, OTHER = "a secret of sixteen", "another of sixteen"


async def heard(server: str, client: ssl.SSLContext) -> bytes:
    """What a client hears from a gateway of a secret."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    listens, _ = contexts(server)
    async with await asyncio.start_server(speak, "127.0.0.1", 0, ssl=listens) as listening:
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname()[:2], ssl=client)
        try:
            return await reader.read()
        finally:
            writer.close()


async def test_two_with_one_secret_hear_each_other() -> None:
    assert await heard(SECRET, contexts(SECRET)[1]) == b"hello"


async def test_one_with_another_secret_does_not_believe_the_gateway() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await heard(SECRET, contexts(OTHER)[1])


async def test_a_stranger_who_believes_everybody_hears_nothing() -> None:
    believes = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    believes.check_hostname, believes.verify_mode = False, ssl.CERT_NONE
    try:
        told = await heard(SECRET, believes)
    except ssl.SSLError:
        # TLS 1.3 refuses whoever shows no certificate after the client's handshake is over.
        told = b""
    assert told == b""
    shows = contexts(OTHER)[1]
    shows.verify_mode = ssl.CERT_NONE
    try:
        told = await heard(SECRET, shows)
    except ssl.SSLError:
        told = b""
    assert told == b""
