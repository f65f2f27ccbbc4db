"""The instrument: sockets, kernel stamps, TLS, TCP_INFO and the clock.

Knows nothing of what the bytes mean. `Wire` is one connection slot: it owns at most one socket at
a time, holds a request back until it can leave in one piece, and keeps a `Record` of when each
thing happened to the request in flight.
"""
