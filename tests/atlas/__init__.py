"""The picture: pages, the chart, what they are made from, and the servers."""
