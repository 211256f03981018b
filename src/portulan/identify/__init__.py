"""The question: what protocol really answers on a port.

`answers` has the nouns; `protocols` the recognisers, one module for each family, without sockets; `deciding` settles
what the answers mean together; `plan` orders what to ask; `asking` owns the sockets.
"""
