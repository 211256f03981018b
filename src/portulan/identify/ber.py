"""BER: tags, lengths and values as answers have them (ITU-T X.690, section 8.1): short tags and definite lengths."""

from __future__ import annotations

from portulan.model import Value

INTEGER, OCTET_STRING, OBJECT_IDENTIFIER, ENUMERATED, SEQUENCE = 0x02, 0x04, 0x06, 0x0A, 0x30

_LONG = 0x80  # the length is in so many bytes as the lower bits say (section 8.1.3.5)
_WIDEST = 4


class Element(Value):
    """One element: its tag, its contents, and the place behind it."""

    tag: int
    value: bytes
    end: int

    @property
    def number(self) -> int:
        """The contents as an INTEGER or ENUMERATED."""
        return int.from_bytes(self.value, "big", signed=True)

    @property
    def parts(self) -> tuple[Element, ...]:
        """The elements that a constructed one is made of; none where they do not fill it."""
        found = elements(self.value)
        return found if found and found[-1].end == len(self.value) else ()


def read(data: bytes, place: int = 0) -> Element | None:
    """Return the element at a place; None where there is none, or not all of it."""
    if place + 2 > len(data):
        return None
    tag, length, start = data[place], data[place + 1], place + 2
    if length & _LONG:
        width = length ^ _LONG
        if not 1 <= width <= _WIDEST:
            return None
        length, start = int.from_bytes(data[start : start + width], "big"), start + width
    end = start + length
    return Element(tag, data[start:end], end) if end <= len(data) else None


def elements(data: bytes) -> tuple[Element, ...]:
    """Return the elements that follow each other, as far as they are whole."""
    found, place = [], 0
    while (element := read(data, place)) is not None:
        found.append(element)
        place = element.end
    return tuple(found)


def write(tag: int, *values: bytes) -> bytes:
    """Return an element of some contents."""
    value = b"".join(values)
    if len(value) < _LONG:
        return bytes([tag, len(value)]) + value
    width = (len(value).bit_length() + 7) // 8
    return bytes([tag, _LONG | width]) + len(value).to_bytes(width, "big") + value


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return a number that is not negative as an element, in as few bytes as it needs (section 8.3)."""
    return write(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def sequence(*values: bytes) -> bytes:
    """Return a SEQUENCE of elements."""
    return write(SEQUENCE, *values)


def string(value: bytes) -> bytes:
    """Return an OCTET STRING."""
    return write(OCTET_STRING, value)


def positive(nonce: bytes) -> int:
    """Return a number of 31 bits made of a nonce, always written in four bytes: an identifier for a message."""
    return int.from_bytes(nonce[:4], "big") & 0x3FFF_FFFF | 0x4000_0000
