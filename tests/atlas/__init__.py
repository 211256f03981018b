"""The picture: pages and what they are made from."""
