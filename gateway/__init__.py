"""edi-gateway: receives invoices in bulk, judges them, publishes what it found."""
