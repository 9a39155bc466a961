"""Entry point of an SFTP process."""

from gateway.service.sftp_server.process import main

main()
