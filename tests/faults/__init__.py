"""What may go wrong between a client and a server, done on purpose by raw sockets on loopback.

server      a listener that does what a script says        speech     HTTP/1.1, HTTP/2, gRPC
answers     a right answer in two halves                   steps      what a server can do
cases       the matrix: one table, a line per fault        stage      a server for one case
lane        one run through many faults                    judge      what is wrong with a row
matrix      every case that makes sense, for every client
network     the faults that need a network of their own
"""
