"""Entry point of an SFTP process."""

from gateway.service.sftp_server.boot import main

main()
