"""Who may log in to the SFTP server: the partners' files as the SFTP processes need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.errors import ConfigurationError
from gateway.model.partner import Partner, SftpAccess
from gateway.service.guessing import Guesses
from gateway.service.sftp_server import channel, keys


def accesses_of(partners: Iterable[Partner]) -> dict[str, SftpAccess]:
    """What is agreed with each enabled partner that logs in to us, by its name."""
    return {each.name: each.sftp for each in partners if each.enabled and each.sftp is not None}


def accounts_of(partners: Mapping[str, SftpAccess]) -> tuple[channel.Account, ...]:
    """Who may log in. Raises `ConfigurationError` for keys that are none, and a name used twice."""
    accounts: dict[str, channel.Account] = {}
    for partner, access in partners.items():
        account = channel.Account(
            partner=partner,
            username=access.username or partner,
            keys=tuple(keys.authorized_key(line, partner) for line in access.authorized_keys),
            password_hash=access.password_hash,
            require_rename=access.require_rename,
            once_only=access.once_only,
            keep_seconds=access.keep_days * 86_400.0,
        )
        other = accounts.setdefault(account.username, account)
        if other is not account:
            raise ConfigurationError(
                f'Partners {other.partner} and {partner} both log in as "{account.username}".',
                remedy="Give each a username of its own.",
            )
    return tuple(accounts.values())


def weigh_login(guesses: Guesses, asked: channel.LoginWanted) -> channel.Answer:
    """Whether a password may be looked at, and after which delay."""
    if guesses.put_off(asked.address, asked.proof) > 0:
        return channel.Answer(asked.id, None, "too many failures")
    delay = guesses.delay(asked.address, asked.login, asked.proof)
    return channel.Answer(asked.id, "", delay=delay)


def note_login(guesses: Guesses, tried: channel.LoginTried) -> None:
    """A password was right or wrong."""
    if tried.right:
        guesses.right(tried.address, tried.proof)
    else:
        guesses.failed(tried.address, tried.login, method="password")
