"""What a partner's [http], [sftp_remote] and [folder] tables may say.

The first half is pure. The second looks at the files and folders that are named, as the user this
process runs as: that they are there, and that we may do with them what we shall have to.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from gateway.config.credentials import public_key_complaint
from gateway.config.files import open_to_all, process_user, read_secret
from gateway.config.strict import Complaint
from gateway.model.partner import FolderAccess, HttpAccess, Partner, SftpRemote

Complaints = Iterator[tuple[str, Complaint]]


def token_complaint(value: str) -> Complaint | None:
    """The SHA-256 of a token, in hex. It is not shown: it may be the token itself."""
    if re.fullmatch(r"[0-9a-f]{64}", value):
        return None
    return Complaint(
        "This is no SHA-256 in lower-case hex (it is not shown, for it may be a token in clear; if "
        "it is one, consider it known).",
        "Make a token and its hash with: openssl rand -hex 32 | tee /dev/tty | tr -d '\\n' | "
        "sha256sum",
    )


def party_complaint(value: str) -> Complaint | None:
    """Somebody by an identifier that invoices name sellers and buyers by."""
    from gateway.core.uniqueness import seller_key  # late: settings alone need no vocabulary

    if seller_key(value) is not None:
        return None
    return Complaint(
        f'"{value}" is no SIREN, SIRET or VAT identifier.',
        'Write nine digits (SIREN), fourteen (SIRET), or a VAT identifier such as "BE0123456789".',
    )


def host_key_complaint(line: str) -> Complaint | None:
    """The public key of a partner's server, as one OpenSSH line without the host's name."""
    found = public_key_complaint(line)
    if found is None:
        return None
    return Complaint(
        found.what,
        "Give the two words behind the host's name in what `ssh-keyscan -t ed25519 HOST` prints, "
        "once the partner has confirmed the fingerprint.",
    )


def remote_path_complaint(path: str) -> Complaint | None:
    """A path on the partner's server: posix, without `..`."""
    if ".." in PurePosixPath(path).parts or not path.isprintable() or "\\" in path:
        return Complaint(
            "The path has .. in it, a backslash, or characters that cannot be seen.",
            'Write it with slashes, from the folder one lands in after login: "out/invoices".',
        )
    return None


def suffix_complaint(suffix: str) -> Complaint | None:
    """What a marker's name has behind that of the file: `.ok`."""
    if re.fullmatch(r"[A-Za-z0-9._~+-]{0,32}", suffix) and ".." not in suffix:
        return None
    return Complaint(
        f'"{suffix}" cannot end a file name.', 'Write letters, digits and dots, such as ".ok".'
    )


def http_complaints(access: HttpAccess) -> Complaints:
    """A partner that could show no token."""
    if not access.token_sha256:
        yield (
            "http.token_sha256",
            Complaint(
                "The partner has no token to show.",
                "Give the SHA-256 of one, remove [http], or set enabled = false.",
            ),
        )


def shared_tokens(partners: Mapping[str, Partner]) -> Iterator[tuple[str, str, Complaint]]:
    """(partner, key, complaint): tokens that would not tell who it is."""
    taken: dict[str, str] = {}
    for name, partner in partners.items():
        for index, value in enumerate(partner.http.token_sha256 if partner.http else ()):
            other = taken.setdefault(value, name)
            if other != name:
                what = f'Partner "{other}" has the same token.'
                yield (
                    name,
                    f"http.token_sha256[{index}]",
                    Complaint(what, "Make a token of its own for each partner."),
                )


def shared_inboxes(partners: Mapping[str, Partner]) -> Iterator[tuple[str, str, Complaint]]:
    """(partner, key, complaint): folders whose files could be two partners'."""
    taken: dict[str, str] = {}
    for name, partner in partners.items():
        if partner.folder is None or not partner.enabled:
            continue
        other = taken.setdefault(os.path.normpath(partner.folder.inbox), name)
        if other != name:
            what = f'Partner "{other}" has the same inbox.'
            yield name, "folder.inbox", Complaint(what, "Give each partner a folder of its own.")


def remote_complaints(remote: SftpRemote) -> Complaints:
    """A server we could not log in to, or would do nothing on."""
    if bool(remote.key_file) == bool(remote.password_file):
        given = "both are" if remote.key_file else "neither is"
        yield (
            "sftp_remote",
            Complaint(
                f"We log in with key_file or with password_file, and {given} given.",
                "Give one of the two.",
            ),
        )
    if not remote.fetch_from and not remote.push_to:
        yield (
            "sftp_remote",
            Complaint(
                "There is nothing to do on that server.",
                'Give fetch_from ("." for the folder one lands in), push_to, or both.',
            ),
        )
    for name in ("move_to", "marker_suffix"):
        if getattr(remote, name) and not remote.fetch_from:
            what = "It is about files we fetch, and fetch_from is not given."
            yield f"sftp_remote.{name}", Complaint(what, "Give fetch_from, or remove this.")
    if remote.fetch_from:
        source = PurePosixPath(remote.fetch_from)
        for name in ("move_to", "push_to"):
            if getattr(remote, name) and PurePosixPath(getattr(remote, name)) == source:
                what = "It is the folder we fetch from: what we put there would be fetched again."
                yield f"sftp_remote.{name}", Complaint(what, "Name another folder.")


def folder_complaints(folder: FolderAccess) -> Complaints:
    """Folders that are not told apart, or not said in full."""
    inbox = Path(folder.inbox)
    for name in ("inbox", "out", "move_to"):
        path = getattr(folder, name)
        if path and not Path(path).is_absolute():
            what = f'"{path}" does not begin at the root.'
            yield f"folder.{name}", Complaint(what, "Write the whole path, from / on.")
        elif path and name != "inbox" and Path(os.path.normpath(path)) == inbox:
            what = "It is the inbox: what we put there would be taken in again."
            yield f"folder.{name}", Complaint(what, "Name another folder.")
    if not folder.inbox:
        yield "folder.inbox", Complaint("Empty, but it must say something.", "Fill it in.")


# ── what is on this machine ────────────────────────────────────────────────────────────────


def login_file_complaints(remote: SftpRemote) -> Complaints:
    """A key or password that cannot be read."""
    if remote.password_file:
        found = read_secret(Path(remote.password_file), "the password the partner gave us")
        if found.fault:
            yield "sftp_remote.password_file", found.fault
    if not remote.key_file:
        return
    try:
        data = Path(remote.key_file).read_bytes()
        load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
        load(data, None)
    except OSError as error:
        what = f"{remote.key_file} cannot be read: {error.strerror}."
    except TypeError:
        what = f"{remote.key_file} is encrypted; nobody could unlock it."
    except (ValueError, UnsupportedAlgorithm):
        what = f"{remote.key_file} holds no private key that can be used."
    else:
        return
    remedy = f"Make one with: ssh-keygen -t ed25519 -N '' -f {remote.key_file}"
    yield "sftp_remote.key_file", Complaint(what, remedy)


def login_file_remarks(remote: SftpRemote) -> Complaints:
    """Secrets that other users of this machine may read."""
    for name in ("key_file", "password_file"):
        path = getattr(remote, name)
        if path and (found := open_to_all(Path(path))):
            yield f"sftp_remote.{name}", found


def access_complaints(folder: FolderAccess) -> Complaints:
    """Folders that are not there, or in which we may not do what must be done."""
    for name in ("inbox", "out", "move_to"):
        path = Path(getattr(folder, name))
        if not getattr(folder, name) or not path.is_absolute():
            continue
        if found := _access_complaint(path, fetching=name == "inbox"):
            yield f"folder.{name}", found


def _access_complaint(path: Path, *, fetching: bool) -> Complaint | None:
    user = process_user()
    try:
        status = path.stat()
    except OSError as error:
        return Complaint(
            f"{path} cannot be looked at by {user}: {error.strerror}.",
            "Create it, and let this user pass through the folders above it (chmod o+x, or "
            "setfacl -m u:USER:x).",
        )
    if not stat.S_ISDIR(status.st_mode):
        return Complaint(f"{path} is not a folder.", "Name a folder.")
    if not _may(path, os.R_OK | os.W_OK | os.X_OK):
        what = "list it, take files out of it" if fetching else "write into it"
        return Complaint(
            f"{user} may not {what}: {path} belongs to {_owner(status)}, mode "
            f"{stat.S_IMODE(status.st_mode):04o}.",
            "Share a group (the gateway's user a member of it): chgrp GROUP and chmod 2770, so "
            "that new files get the group as well; or an ACL: setfacl -m u:USER:rwx "
            "-m d:u:USER:rwx. A gateway that runs must be started again to be in a new group.",
        )
    if fetching and status.st_mode & stat.S_ISVTX and status.st_uid != os.geteuid() != 0:
        return Complaint(
            f"{path} has the sticky bit: {user} could not remove the files of others.",
            f"Run: chmod -t {path}",
        )
    return None


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _owner(status: os.stat_result) -> str:
    import grp
    import pwd

    try:
        user = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        user = str(status.st_uid)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f"{user}:{group}"
