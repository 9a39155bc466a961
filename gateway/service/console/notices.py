"""Pages that say why there is no other page: not found, not allowed, not now."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.core.acknowledgement.markup import element
from gateway.errors import GatewayError
from gateway.model.verdict import Language, Text
from gateway.service.console.layout import bare
from gateway.service.console.visit import ROOT, html_answer
from gateway.service.http_server import Answer


def not_found(language: Language) -> Answer:
    """404."""
    return _notice(
        404,
        language,
        Text(en="There is no such page", fr="Cette page n'existe pas"),
        Text(
            en="The address may be mistyped, or of another version.",
            fr="L'adresse est peut-être mal écrite, ou d'une autre version.",
        ),
    )


def no_interchange(language: Language) -> Answer:
    """404: there is none of this id, or it is another partner's; nobody learns which."""
    return _notice(
        404,
        language,
        Text(en="There is no such interchange", fr="Cet échange n'existe pas"),
        Text(
            en="No interchange you may see has this id.",
            fr="Aucun échange que vous pouvez voir ne porte cet identifiant.",
        ),
    )


def no_user(language: Language) -> Answer:
    """404: nobody may log in by this name."""
    return _notice(
        404,
        language,
        Text(en="There is no such login", fr="Ce compte n'existe pas"),
        Text(
            en="It may have been removed. The list of users has all there are.",
            fr="Il a peut-être été supprimé. La liste des utilisateurs les a tous.",
        ),
    )


def no_partner(language: Language) -> Answer:
    """404: there is no partner of this name."""
    return _notice(
        404,
        language,
        Text(en="There is no such partner", fr="Ce partenaire n'existe pas"),
        Text(
            en="It may have been removed. The list of partners has all there are.",
            fr="Il a peut-être été supprimé. La liste des partenaires les a tous.",
        ),
    )


def wrong_method(language: Language, allowed: Sequence[str]) -> Answer:
    """405."""
    answer = _notice(
        405,
        language,
        Text(en="That cannot be done here", fr="Cela ne se fait pas ici"),
        Text(en="Use the buttons of the page.", fr="Utilisez les boutons de la page."),
    )
    return replace(answer, headers=(*answer.headers, ("Allow", ", ".join(sorted(set(allowed))))))


def forbidden(language: Language) -> Answer:
    """403: the role is not enough, or it is not for a partner's own login."""
    return _notice(
        403,
        language,
        Text(en="You may not do this", fr="Vous n'y êtes pas autorisé"),
        Text(
            en="Your login has not the role this takes. Ask an administrator of the gateway.",
            fr="Votre compte n'a pas le rôle nécessaire. Demandez à un administrateur de la"
            " passerelle.",
        ),
    )


def foreign(language: Language) -> Answer:
    """403: it came from a page of somebody else's."""
    return _notice(
        403,
        language,
        Text(en="This did not come from the console", fr="Cela ne vient pas de la console"),
        Text(
            en="Another site sent your browser here. Nothing was done. Behind a proxy, have it pass"
            " the Host header on as it came.",
            fr="Un autre site a envoyé votre navigateur ici. Rien n'a été fait. Derrière un"
            " mandataire, faites-lui transmettre l'en-tête Host tel quel.",
        ),
    )


def stale(language: Language) -> Answer:
    """403: the token of the form is not the session's."""
    return _notice(
        403,
        language,
        Text(en="This page was too old", fr="Cette page était trop ancienne"),
        Text(
            en="It was made before you logged in anew. Nothing was done: go back, load the page"
            " again and repeat.",
            fr="Elle date d'avant votre nouvelle connexion. Rien n'a été fait : revenez en arrière,"
            " rechargez la page et recommencez.",
        ),
    )


def log_in_first(language: Language) -> Answer:
    """401: nobody is logged in, or no longer."""
    return _notice(
        401,
        language,
        Text(en="Log in first", fr="Connectez-vous d'abord"),
        Text(
            en="Nobody is logged in on this browser any more. Nothing was done.",
            fr="Plus personne n'est connecté dans ce navigateur. Rien n'a été fait.",
        ),
    )


def not_ready(language: Language, why: str) -> Answer:
    """503: the gateway starts or stops."""
    return _notice(
        503,
        language,
        Text(en="Not at this moment", fr="Pas pour l'instant"),
        Text(en=why, fr=f"La passerelle démarre, s'arrête, ou ne peut travailler : {why}"),
        ("Retry-After", "5"),
    )


def unreadable(language: Language, error: GatewayError) -> Answer:
    """503: the journal could not be read in time."""
    return _notice(
        503,
        language,
        Text(en="This could not be looked up", fr="Cela n'a pas pu être consulté"),
        Text(en=f"{error.what} {error.remedy}", fr=f"{error.what} {error.remedy}"),
        ("Retry-After", "5"),
    )


def refused(language: Language, error: GatewayError) -> Answer:
    """409: what was asked for cannot be done, in the words the command line would show."""
    return _notice(
        409,
        language,
        Text(en="That was not done", fr="Cela n'a pas été fait"),
        Text(en=f"{error.what} {error.remedy}", fr=f"{error.what} {error.remedy}"),
    )


def not_taken(language: Language) -> Answer:
    """503: a file cannot be received now."""
    return _notice(
        503,
        language,
        Text(en="The file was not received", fr="Le fichier n'a pas été reçu"),
        Text(
            en="The gateway cannot take files now. Send the same file again later: nothing was"
            " taken in, and nothing is doubled.",
            fr="La passerelle ne peut rien recevoir pour l'instant. Renvoyez le même fichier plus"
            " tard : rien n'a été pris, et rien ne sera en double.",
        ),
        ("Retry-After", "60"),
    )


def no_report(language: Language) -> Answer:
    """409: the SVRL report cannot be made, for a reason that is not the reader's to know."""
    return _notice(
        409,
        language,
        Text(en="There is no report", fr="Il n'y a pas de rapport"),
        Text(
            en="This report could not be made now. The findings of the document say the same; ask"
            " again later, or ask the operators of the gateway.",
            fr="Ce rapport n'a pas pu être établi maintenant. Les constats du document disent la"
            " même chose ; redemandez-le plus tard, ou adressez-vous aux exploitants de la"
            " passerelle.",
        ),
    )


def invalid(language: Language, words: Text) -> Answer:
    """400: a form that is not filled in as it must be."""
    return _notice(400, language, Text(en="That was not done", fr="Cela n'a pas été fait"), words)


def _notice(
    status: int, language: Language, title: Text, words: Text, *headers: tuple[str, str]
) -> Answer:
    back = Text(en="To the console", fr="Vers la console").to(language)
    page = bare(
        language,
        title.to(language),
        element("h1", title.to(language)),
        element("p", words.to(language)),
        element("p", element("a", back, href=f"{ROOT}/", class_="button")),
    )
    return html_answer(page, status, *headers)
