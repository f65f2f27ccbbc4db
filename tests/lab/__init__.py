"""The laboratory: servers and lines whose true times are known, to hold the instrument against.

truth        what really happened to one request      lab          the parent's side, `Lab`
link         one accepted connection, every stamp     inside       functions in a namespace
speech       HTTP in, scripts of what to send out     delay_line   a path of known round trip
server       the process that does it on time         capture      a packet capture of ours
"""
