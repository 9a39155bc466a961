"""Everything that touches the network, the database or durable files. Twisted lives here."""
