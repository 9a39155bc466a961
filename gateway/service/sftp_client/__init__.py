"""The SFTP client: partners' servers we log in to, to fetch files and to leave reports.

    reactor   service ─▶ remote (one partner: when) ─▶ fetching, pushing (what) ─▶ lane (in turn)
    threads   connection (the right server, our login) ─▶ session (SFTP, in words)
              download, clearing, upload: one file each

    looks     which files of a listing are ready
    health    back-off, and what is news for the log
    errors    what can go wrong there, for the operator

A file is deleted or moved there only after `receive` returned, so a crash at any moment leaves it
there, or here, or in both places; then it is fetched again and is the same interchange.
"""

from gateway.service.sftp_client.service import SftpClients

__all__ = ["SftpClients"]
