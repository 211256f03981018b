"""The picture: a page for each port, service, product and organisation, the chart, search and the server."""
