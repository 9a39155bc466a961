"""The words of reaching a partner's own servers, in both languages."""

from __future__ import annotations

from typing import Final

from gateway.model.verdict import Text

WORDS: Final = {
    "no server": Text(
        en="it has no server of its own that we go to",
        fr="il n'a pas de serveur à lui auquel nous nous connectons",
    ),
    "logged in": Text(
        en='the right host key; logged in as "{username}"',
        fr="la bonne clé d'hôte ; connecté en tant que « {username} »",
    ),
    "listed": Text(
        en="it can be listed, and holds {count}", fr="il peut être listé, et contient {count}"
    ),
    "nothing": Text(en="nothing", fr="zéro élément"),
    "one entry": Text(en="one entry", fr="un élément"),
    "entries": Text(en="{number} entries", fr="{number} éléments"),
    "many entries": Text(en="{number} entries or more", fr="{number} éléments ou plus"),
    "there": Text(
        en="it is there; whether we may write was not tried",
        fr="il existe ; le droit d'écrire n'a pas été essayé",
    ),
    "no folder": Text(en="It is a file, and no folder.", fr="C'est un fichier, et non un dossier."),
    "ask for folder": Text(
        en="Ask the partner for the folder's name, and for our rights in it; {key}.",
        fr="Demandez au partenaire le nom du dossier, et nos droits ; {key}.",
    ),
    "connected": Text(
        en="it can be reached, without TLS; nothing was posted",
        fr="il est joignable, sans TLS ; rien n'a été envoyé",
    ),
    "secured": Text(
        en="{version}, certificate until {until:%Y-%m-%d}; nothing was posted",
        fr="{version}, certificat jusqu'au {until:%d/%m/%Y} ; rien n'a été envoyé",
    ),
    "ends soon": Text(
        en="It can be reached. The TLS certificate of the server ends on {until:%Y-%m-%d}; days"
        " left: {days}.",
        fr="Il est joignable. Le certificat TLS du serveur expire le {until:%d/%m/%Y} ; jours"
        " restants : {days}.",
    ),
    "ask to renew": Text(
        en="Ask the partner whether it renews it, and with the same authority.",
        fr="Demandez au partenaire s'il le renouvelle, et auprès de la même autorité.",
    ),
    "failed": Text(en="{why}", fr="La connexion échouerait. Détail (en anglais) : {why}"),
    "look": Text(
        en="Look at the partner's address, and at the way there.",
        fr="Vérifiez l'adresse du partenaire, et le chemin jusqu'à elle.",
    ),
    "do": Text(en="{remedy}", fr="Conseil (en anglais) : {remedy}"),
}
