"""A Saxon processor that reaches nothing: the only kind there is here.

Rules are programs, whoever wrote them. On such a processor

- no URI can be opened, whatever its protocol: no document(), unparsed-text(), xsl:import;
- there are no extension functions, environment variables, system properties and no
  xsl:result-document, which Saxon counts among them;
- xsl:evaluate is switched off: what is run is what was read.

Each alone leaves a door open that another shuts. An endless computation is ended by the time limit
of the worker it runs in. Official rules, those beside flows and those on trial each have a
processor of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from gateway.core.schematron.source import Source

LOCKED: Final = {
    "http://saxon.sf.net/feature/allowedProtocols": "",
    "http://saxon.sf.net/feature/allow-external-functions": "false",
    "http://saxon.sf.net/feature/disableXslEvaluate": "true",
}
"""Saxon's configuration properties."""


class LockedSaxon:
    """One such processor, made at the first use. Not for use from several threads."""

    def __init__(self) -> None:
        self._saxon: Any = None

    def processor(self) -> Any:
        """The PySaxonProcessor."""
        if self._saxon is None:
            from saxonche import PySaxonProcessor

            self._saxon = PySaxonProcessor(license=False)
            for feature, value in LOCKED.items():
                self._saxon.set_configuration_property(feature, value)
        return self._saxon

    def compile(self, stylesheet: str) -> Any:
        """The PyXsltExecutable of a stylesheet, given as text.

        Raises PySaxonApiError with what Saxon says.
        """
        executable = (
            self.processor().new_xslt30_processor().compile_stylesheet(stylesheet_text=stylesheet)
        )
        executable.set_property("!indent", "no")
        executable.set_save_xsl_message(True)
        return executable

    def compile_source(self, source: Source) -> Any:
        """As `compile`, for Schematron: raises SourceError, which speaks of the lines of it."""
        try:
            return self.compile(source.stylesheet)
        except saxon_error() as error:
            raise source.complaints(str(error)) from error


def saxon_error() -> type[Exception]:
    """PySaxonApiError; saxonche is loaded at the first use only."""
    from saxonche import PySaxonApiError

    error: type[Exception] = PySaxonApiError
    return error
