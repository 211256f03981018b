"""The map: IANA's rows, known uses and executables with citations, the grade of each registration, the index.

`index` and `search` answer questions and start fast; everything else here makes what they read.
"""
