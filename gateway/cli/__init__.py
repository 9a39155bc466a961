"""The command `edi-gateway`: one module per subcommand."""
