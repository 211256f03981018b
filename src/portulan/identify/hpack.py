"""HPACK (RFC 7541), as far as it takes to read single fields of a response's head: there is no dynamic table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {31: "content-type", 33: "date", 54: "server", 60: "via"}
"""Of the static table (appendix A) what is of use here."""

# The code of appendix B: the characters by how many bits they take, up to 15. Within a length the codes follow one
# another, and each length goes on where the one before ended. What takes more bits is in no name of a product.
_BY_LENGTH = {
    5: "012aceiost",
    6: " %-./3456789=A_bdfghlmnpru",
    7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: "&*,;XZ",
    10: '!"()?',
    11: "'+|",
    12: "#>",
    13: "\0$@[]~",
    14: "^}",
    15: "<`{",
}


def _codes() -> Iterator[tuple[tuple[int, int], str]]:
    code = length = 0
    for bits, characters in _BY_LENGTH.items():
        code <<= bits - length
        length = bits
        for character in characters:
            yield (bits, code), character
            code += 1


_CODES = dict(_codes())
_LONGEST = max(_BY_LENGTH)


def read_fields(block: bytes) -> dict[str, str]:
    """Return the fields of a header block that are written out (section 6.2), as far as it can be read."""
    fields: dict[str, str] = {}
    place = 0
    try:
        while place < len(block):
            first = block[place]
            if first & 0x80:  # a field of a table (section 6.1)
                _, place = _integer(block, place, 7)
            elif first & 0xE0 == 0x20:  # noqa: PLR2004  # another size of the dynamic table (section 6.3)
                _, place = _integer(block, place, 5)
            else:
                index, place = _integer(block, place, 6 if first & 0x40 else 4)
                name: str | None = _NAMES.get(index, "")
                if not index:
                    name, place = _text(block, place)
                value, place = _text(block, place)
                if name and value is not None:
                    fields.setdefault(name, value)
    except IndexError:
        pass  # it was cut off
    return fields


def _integer(block: bytes, place: int, bits: int) -> tuple[int, int]:
    """Read an integer whose first byte has so many bits for it (section 5.1). Raises IndexError at the end."""
    most = (1 << bits) - 1
    value = block[place] & most
    place += 1
    if value < most:
        return value, place
    for shift in (0, 7, 14):
        byte = block[place]
        place += 1
        value += (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return value, place


def _text(block: bytes, place: int) -> tuple[str | None, int]:
    """Read a string (section 5.2); None instead of one with characters that are of no use here."""
    coded = block[place] & 0x80
    size, place = _integer(block, place, 7)
    data = block[place : place + size]
    if len(data) < size:
        raise IndexError
    return (_decoded(data) if coded else data.decode("ascii", "backslashreplace")), place + size


def _decoded(data: bytes) -> str | None:
    """Undo the Huffman code (section 5.2); what is left at the end are bits of one."""
    text, bits, code = [], 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            bits, code = bits + 1, code << 1 | byte >> shift & 1
            character = _CODES.get((bits, code))
            if character is not None:
                text.append(character)
                bits = code = 0
            elif bits > _LONGEST:
                return None
    return "".join(text)
