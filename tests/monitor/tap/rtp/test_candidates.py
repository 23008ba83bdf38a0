"""Where packets may be sent."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.tap.media.config import TapConfig, local_addresses
from monitor.tap.rtp.candidates import admitted, denied, parse_candidate, select


def line(host: str, port: int = 50000, kind: str = "host", transport: str = "udp", component: int = 1) -> str:
    return f"1 {component} {transport} 2130706431 {host} {port} typ {kind} generation 0"


def test_a_candidate_is_read() -> None:
    found = parse_candidate(line("93.184.216.34", kind="srflx", transport="UDP"))
    assert found is not None
    assert (found.host, found.port, found.type, found.transport) == ("93.184.216.34", 50000, "srflx", "udp")
    assert admitted(found, TapConfig())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        line("1.1.1.1", 65536),
        "1 1 udp 99999999999 1.1.1.1 1 typ host",
        "1 1 udp 4294967296 1.1.1.1 1 typ host",
    ],
)
def test_what_is_not_a_candidate_is_left_out(text: str) -> None:
    assert parse_candidate(text) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.9.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.251",
        "239.1.1.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fd00:ec2::254", "ff02::fb", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2001:0:4136:e378::1", "64:ff9b::7f00:1",
        "::93.184.216.34", "::ffff:0:93.184.216.34", "64:ff9b::5db8:d822", "64:ff9b:1::5db8:d822", "2002:5db8:d822::1",
        "5c1c5bd4-9a0e-4f9f-8b0d-1a4a3b5c7d9e.local", "localhost", "example.com", "2130706433", "0x7f000001",
    ],
)  # fmt: skip
def test_denied_hosts(host: str) -> None:
    found = parse_candidate(line(host))
    assert found is not None
    assert not admitted(found, TapConfig())


@pytest.mark.parametrize(
    "text",
    [
        line("93.184.216.34", port=53), line("93.184.216.34", port=0), line("93.184.216.34", transport="tcp"),
        line("93.184.216.34", component=2), line("93.184.216.34", kind="prflx"), line("93.184.216.34", kind="weird"),
    ],
)  # fmt: skip
def test_denied_kinds(text: str) -> None:
    found = parse_candidate(text)
    assert found is not None
    assert not admitted(found, TapConfig())


def test_allowed_networks_are_exceptions_and_nothing_more() -> None:
    config = TapConfig(allowed_networks=(ip_network("10.1.0.0/16"), ip_network("fd00::/64")))
    hosts = ["10.1.2.3", "10.2.0.1", "fd00::5", "fd01::5"]
    found = [c for c in (parse_candidate(line(h)) for h in hosts) if c is not None]
    assert [admitted(c, config) for c in found] == [True, False, True, False]


EVERYWHERE = TapConfig(allowed_networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "169.254.0.23", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42",
        "fe80::a9fe:a9fe", "fe80::a9fe:a9fe%eth0",
        "::ffff:169.254.169.254", "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::168.63.129.16",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2002:6464:64c8::", "2001:0:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:5601:5601",
        "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0", "64:ff9b:1::a9fe:a9fe",
    ],
)  # fmt: skip
def test_metadata_of_clouds_is_denied_in_every_spelling_whatever_is_allowed(host: str) -> None:
    found = parse_candidate(line(host))
    assert found is not None
    assert not admitted(found, EVERYWHERE)
    assert not admitted(found, TapConfig())


@pytest.mark.parametrize(
    "host", ["10.1.2.3", "169.254.3.4", "fd00::5", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1"]
)
def test_what_is_not_metadata_can_be_allowed(host: str) -> None:
    found = parse_candidate(line(host))
    assert found is not None
    assert admitted(found, EVERYWHERE)
    assert not admitted(found, TapConfig())


def test_no_more_than_the_limit_counted_with_those_in_use_and_each_once() -> None:
    found = [c for c in (parse_candidate(line(f"93.184.216.{n}")) for n in range(1, 200)) if c is not None]
    assert len(select(found, TapConfig())) == 8
    assert len(select(found, TapConfig(), in_use=6)) == 2
    assert select(found, TapConfig(), in_use=8) == ()
    assert len(select([found[0], found[0]], TapConfig())) == 1
    inner = parse_candidate(line("10.0.0.1"))
    assert inner is not None
    assert select([inner, found[0], inner], TapConfig()) == (found[0],)


def test_mapped_addresses_are_judged_by_what_they_hide() -> None:
    assert not denied(ip_address("::ffff:93.184.216.34"))
    assert denied(ip_address("::ffff:192.168.0.1"))
    assert denied(ip_address("168.63.129.16"))


def test_own_addresses_are_single_and_not_loopback() -> None:
    for network in local_addresses():
        assert network.num_addresses == 1
        assert not network.network_address.is_loopback


@given(st.text())
def test_any_text_is_read_or_left_out(text: str) -> None:
    found = parse_candidate(text)
    assert found is None or isinstance(admitted(found, TapConfig()), bool)
