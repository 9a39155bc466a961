"""The web console: pages for people, on the management listener.

HttpServer ─▶ gate: route, login, role, scope, token ─▶ a page ─▶ Answer

gate          the one place where it is decided who may see what
visit         a request as a page sees it; routes and answers
sources       all that pages show and do
users, passwords, sessions, cookies, account    people, and how they log in
reading       reads of the journal, in threads, for a bounded time
doing         commands, as the control socket has them, and the audit
layout, words, findings, invoice, timeline      what pages are made of
flows_page, interchange_list, interchange, document, downloads, acting, queue, …    the pages
"""

from gateway.service.console.console import console_routes
from gateway.service.console.sources import Live, Sources

__all__ = ["Live", "Sources", "console_routes"]
