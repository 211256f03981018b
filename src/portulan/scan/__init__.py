"""The first question: does anything answer at all. A connect scanner: it sends nothing but what a connection takes.

`targets` says who is asked, `outcomes` what an error of connect(2) means, `pacing` how fast to go, `sweep` what to try
next on one host, and `resuming` writes down what is left; all of them without sockets, which `connecting` owns.
"""
