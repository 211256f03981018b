"""Proofs of BER as far as it is read and written here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portulan.identify import ber


@given(st.integers(0, 255), st.binary(max_size=70_000))
def test_what_is_written_is_read(tag: int, value: bytes) -> None:
    """An element comes back as it was written, with short and with long lengths."""
    element = ber.read(ber.write(tag, value) + b"more")
    assert element is not None
    assert (element.tag, element.value) == (tag, value)


@given(st.integers(0, 2**40))
def test_numbers_are_as_short_as_can_be(number: int) -> None:
    """A number has one byte more only where its sign needs it (X.690, section 8.3.2)."""
    element = ber.read(ber.integer(number))
    assert element is not None
    assert element.number == number
    assert len(element.value) == 1 or element.value[0] != 0 or element.value[1] & 0x80


@given(st.binary(min_size=16, max_size=16))
def test_a_nonce_makes_a_number_of_four_bytes(nonce: bytes) -> None:
    """Whatever the nonce is, the identifier that is made of it has one size and is positive."""
    element = ber.read(ber.integer(ber.positive(nonce)))
    assert element is not None
    assert len(element.value) == 4
    assert element.number > 0


@pytest.mark.parametrize("data", ["", "30", "3002 01", "3080 0000", "3084 ffffffff", "3085 0000000000"])
def test_what_is_cut_is_nothing(data: str) -> None:
    """Elements that are cut off, of indefinite or of too long a length are not read."""
    assert ber.read(bytes.fromhex(data)) is None
