"""Where we connect to, decided without connecting."""

from __future__ import annotations

import pytest

from schemas.errors import Invalid
from workers.scraper.fetch import checked, is_public


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # where clouds keep their credentials
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
    ],
)
def test_private_addresses_in_every_disguise_are_not(address: str) -> None:
    assert not is_public(address)


def test_a_host_with_one_private_address_is_refused() -> None:
    assert checked("h.example", ["93.184.215.14"]) == "93.184.215.14"
    with pytest.raises(Invalid, match="private network"):
        checked("h.example", ["93.184.215.14", "10.0.0.1"])
