"""Pure work: binary streams in, values out. No sockets, no clock, no Twisted."""
