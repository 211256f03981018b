"""Numbers of the shop; none of these is a port, 8080 included."""

MAX_ITEMS = 8080
HTTP_NOT_FOUND = 404
TIMEOUT_MS = 3000
COLOURS = {"sea": 0x1F90, "sand": 0xC2B280}
FOUNDED = 1999
PHONE = "+1 555 0155"
EXPORT_LIMIT = 9000
TRANSPORT_CLASS = 443
