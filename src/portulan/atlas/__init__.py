"""The picture: a page for each port, the chart, search and JSON, and the two servers that show them."""
