"""A stylesheet run as shipped and as the compiler rewrites it, each answering for itself."""

from __future__ import annotations

import functools
from typing import Any

from gateway.core.schematron.compiler import rewrite
from gateway.core.schematron.svrl import Saying, Violation, violations
from gateway.errors import RulePackError
from tests import mini_packs

FAILED, NOTHING_CHECKED = "failed", "nothing checked"
Answer = tuple[Violation, ...] | str


@functools.cache
def saxon() -> Any:
    from saxonche import PySaxonProcessor

    return PySaxonProcessor(license=False)


class BothWays:
    """A stylesheet compiled as shipped and as rewritten: each answers for itself."""

    def __init__(self, text: str, parameters: dict[str, str] | None = None) -> None:
        self.rewriting = rewrite(text, parameters)
        self._sayings = self.rewriting.sayings
        self._codes = {
            name: saxon().parse_xml(xml_text=content, encoding="UTF-8")
            for name, content in (parameters or {}).items()
        }
        self._shipped = self._compiled(text)
        self._rewritten = self._compiled(self.rewriting.stylesheet)

    def _compiled(self, text: str) -> Any:
        executable = saxon().new_xslt30_processor().compile_stylesheet(stylesheet_text=text)
        for name, node in self._codes.items():
            executable.set_parameter(name, node)
        return executable

    def answers(self, data: bytes) -> tuple[Answer, Answer]:
        """What the shipped and what the rewritten stylesheet says of a document."""
        node = saxon().parse_xml(xml_text=data.decode(), encoding="UTF-8")
        return self._answer(self._shipped, node), self._answer(self._rewritten, node, self._sayings)

    def rewritten(self, data: bytes) -> Answer:
        """What the rewritten stylesheet alone says of a document."""
        node = saxon().parse_xml(xml_text=data.decode(), encoding="UTF-8")
        return self._answer(self._rewritten, node, self._sayings)

    @staticmethod
    def _answer(executable: Any, node: Any, sayings: tuple[Saying, ...] = ()) -> Answer:
        from saxonche import PySaxonApiError

        try:
            return violations(executable.transform_to_string(xdm_node=node).encode(), sayings)
        except PySaxonApiError:
            return FAILED
        except RulePackError:
            return NOTHING_CHECKED

    def found(self, data: bytes = mini_packs.DOCUMENT) -> list[str]:
        """Rule and place of every finding, once both ways agree on them."""
        shipped, rewritten = self.answers(data)
        assert rewritten == shipped
        assert not isinstance(shipped, str), shipped
        return [f"{violation.rule} {violation.text}" for violation in shipped]
