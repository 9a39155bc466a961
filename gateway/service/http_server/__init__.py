"""The HTTP server: one listener for AS2 and for `/v1/…`, bodies streamed to disk.

HttpServer ─▶ channel ─▶ request ─▶ Handler.admit ─▶ body ─▶ Handler.handle ─▶ Answer

values      what server and handlers tell each other
server      the listener: start, stop, limits on connections
channel     one connection: HTTP/1.1 and its limits
request     one request, from its head to its answer
body        its bytes on their way to disk; sending: large answers on theirs to the client
desk        what all connections share
wire, tls   bytes of heads; certificates
limits      numbers, and why
"""

from gateway.service.http_server.server import HttpServer
from gateway.service.http_server.values import (
    Admitted,
    Answer,
    Handler,
    Received,
    RequestHead,
    later,
    plain,
    wrong_method,
)

__all__ = [
    "Admitted",
    "Answer",
    "Handler",
    "HttpServer",
    "Received",
    "RequestHead",
    "later",
    "plain",
    "wrong_method",
]
