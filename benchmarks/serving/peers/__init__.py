"""One file a peer: what it needs, how it is started and asked, and its server, as its documentation has it.

A file here that has a `SERVER` is measured: nothing else knows the names of the peers. It is read without the peer's
libraries, and run, in the peer's own environment, as `python -m benchmarks.serving.peers.NAME`.
"""
