"""The picture: a page for each of the 65,536 ports, and the chart of them all."""
