"""OpenAS2 as a partner: a server of its own, in Java, driven by the folders it watches."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.sax.saxutils import quoteattr

from gateway.model.as2 import Cipher, Compression, Digest, MdnMode
from tests.as2_partner import openssl
from tests.interop.hub import OUR_ID, TOOLS, Hub, Scenario, until
from tests.interop.peer_process import PeerProcess

PASSWORD = "interop"
SIGNS = {Digest.SHA256: "SHA256", Digest.SHA384: "SHA384", Digest.SHA512: "SHA512"}
ENCRYPTS = {Cipher.AES128_CBC: "AES128", Cipher.AES256_CBC: "AES256"}


class OpenAs2(PeerProcess):
    """Each scenario has an AS2 name and a folder whose files are sent."""

    name = "OpenAS2"

    def __init__(self, folder: Path, hub: Hub, scenarios: list[Scenario]) -> None:
        self._folder, self._hub = folder, hub
        super().__init__(folder / "openas2.log")
        (folder / "config").mkdir(parents=True)
        self._write_keys()
        (folder / "config" / "partnerships.xml").write_text(_partnerships(hub, scenarios))
        (folder / "config" / "config.xml").write_text(self._config(scenarios))
        for scenario in scenarios:
            (folder / "out" / scenario.name).mkdir(parents=True)

    # ---- the peer

    def send(self, scenario: Scenario, payload: bytes) -> str:
        """Drop a file in its folder; its log says whether it matched the MIC of our receipt."""
        name = f"{scenario.name}.xml"
        waiting = self._folder / name
        waiting.write_bytes(payload)
        waiting.rename(self._folder / "out" / scenario.name / name)
        from_us = rf"{scenario.as2_id}_{OUR_ID}"

        def matched() -> list[str]:
            lines = self.log().splitlines()
            return [each for each in lines if "MIC is matched" in each and from_us in each]

        until(matched, lambda: f"no MIC matched for {from_us}:\n{self.log()[-6000:]}")
        return matched()[0]

    def received(self, scenario: Scenario, message_id: str) -> bytes:
        """The file it stored for a message of ours."""
        folder = self._folder / "inbox" / scenario.as2_id
        wanted = re.sub(r"[^A-Za-z0-9]", "", message_id)

        def stored() -> list[Path]:
            files = folder.iterdir() if folder.is_dir() else ()
            return [each for each in files if wanted in re.sub(r"[^A-Za-z0-9]", "", each.name)]

        until(stored, lambda: f"{message_id} is not in {folder}:\n{self.log()[-4000:]}")
        return stored()[0].read_bytes()

    # ---- its set-up

    def _command(self) -> list[str]:
        return [
            *("java", "-Xmx256m", "-cp", f"{TOOLS / 'openas2' / 'lib'}/*"),
            "-Dorg.apache.commons.logging.Log=org.openas2.logging.Log",
            "-Dorg.openas2.logging.defaultlog=TRACE",
            *("org.openas2.app.OpenAS2Server", str(self._folder / "config" / "config.xml")),
        ]

    def _listens(self) -> bool:
        return re.search(r"OpenAS2 Server v\S+ started", self.log()) is not None

    def _write_keys(self) -> None:
        """Our certificate and the peer's key in a PKCS#12 file, by the names below."""
        store = self._folder / "config" / "keys.p12"
        them, us = self._hub.them, self._hub.us
        openssl(
            *("pkcs12", "-export", "-name", "peer", "-inkey", them.key, "-in", them.certificate),
            *("-out", store, "-passout", f"pass:{PASSWORD}"),
            # Its Bouncy Castle is of 2020, and cannot read what is made by default today.
            *("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
        )
        done = subprocess.run(
            [
                *("keytool", "-J-Dkeystore.pkcs12.legacy"),
                *("-importcert", "-noprompt", "-alias", "hub", "-storetype", "PKCS12"),
                *("-keystore", store, "-storepass", PASSWORD, "-file", us.certificate),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _config(self, scenarios: list[Scenario]) -> str:
        home = self._folder
        polls = "".join(
            '<module classname="org.openas2.processor.receiver.AS2DirectoryPollingModule"'
            f' outboxdir="{home}/out/{each.name}" errordir="{home}/out-error"'
            f' interval="1" sendfilename="true" mimetype="application/xml"'
            f' defaults="sender.as2_id={each.as2_id}, receiver.as2_id={OUR_ID}"/>\n'
            for each in scenarios
        )
        return f"""<openas2>
<properties log_date_format="HH:mm:ss.SSS" sql_timestamp_format="yyyy-MM-dd HH:mm:ss.SSS"
 as2_message_id_format="OPENAS2-$rand.UUID$@$msg.sender.as2_id$_$msg.receiver.as2_id$"
 as2_async_mdn_url="{self._hub.peer_mdn_url}"/>
<certificates classname="org.openas2.cert.PKCS12CertificateFactory"
 filename="{home}/config/keys.p12" password="{PASSWORD}" interval="300"/>
<partnerships classname="org.openas2.partner.XMLPartnershipFactory"
 filename="{home}/config/partnerships.xml" interval="300"/>
<loggers><logger classname="org.openas2.logging.ConsoleLogger" enabled="true"/></loggers>
<processor classname="org.openas2.processor.DefaultProcessor"
 pendingMDN="{home}/pending" pendingMDNinfo="{home}/pending-info">
<module classname="org.openas2.processor.sender.AS2SenderModule" retries="0"/>
<module classname="org.openas2.processor.sender.MDNSenderModule" retries="0"/>
{polls}<module classname="org.openas2.processor.storage.MDNFileModule"
 filename="{home}/mdn/$mdn.msg.sender.as2_id$/$mdn.msg.headers.message-id$"
 protocol="as2" tempdir="{home}/temp"/>
<module classname="org.openas2.processor.storage.MessageFileModule"
 filename="{home}/inbox/$msg.receiver.as2_id$/$msg.headers.message-id$"
 protocol="as2" tempdir="{home}/temp"/>
<module classname="org.openas2.processor.receiver.AS2ReceiverModule"
 address="127.0.0.1" port="{self._hub.peer_port}" errordir="{home}/in-error"/>
<module classname="org.openas2.processor.receiver.AS2MDNReceiverModule"
 address="127.0.0.1" port="{self._hub.mdn_port}"/>
<module classname="org.openas2.processor.resender.DirectoryResenderModule"
 resenddir="{home}/resend" errordir="{home}/resend-error" resenddelay="60"/>
</processor>
</openas2>
"""


def _partnerships(hub: Hub, scenarios: list[Scenario]) -> str:
    partners = "".join(
        f'<partner name="{each.name}" as2_id="{each.as2_id}" x509_alias="peer" email="a@b.c"/>\n'
        for each in scenarios
    )
    lines = "".join(_to_us(hub, each) + _from_us(each) for each in scenarios)
    return (
        f'<partnerships>\n<partner name="hub" as2_id="{OUR_ID}" x509_alias="hub" email="a@b.c"/>\n'
        f"{partners}{lines}</partnerships>\n"
    )


def _to_us(hub: Hub, scenario: Scenario) -> str:
    values = {
        "protocol": "as2",
        "content_transfer_encoding": "binary",
        "subject": "interop",
        "as2_url": hub.url,
        "as2_mdn_to": "mdn@peer.example",
        "as2_mdn_options": "signed-receipt-protocol=optional, pkcs7-signature;"
        " signed-receipt-micalg=optional, SHA256",
        "resend_max_retries": "0",
    }
    if scenario.sign:
        values["sign"] = SIGNS[scenario.sign]
    if scenario.encrypt:
        values["encrypt"] = ENCRYPTS[scenario.encrypt]
    if scenario.compress is not Compression.NONE:
        values["compression_type"] = "ZLIB"
    if scenario.compress is Compression.AFTER_SIGNING:
        values["compression_mode"] = "compress-after-signing"
    if scenario.mdn is MdnMode.ASYNC:
        values["as2_receipt_option"] = hub.peer_mdn_url
    return _partnership(scenario.name, "hub", values)


def _from_us(scenario: Scenario) -> str:
    return _partnership("hub", scenario.name, {"protocol": "as2"})


def _partnership(sender: str, receiver: str, values: dict[str, str]) -> str:
    attributes = "".join(
        f"<attribute name={quoteattr(name)} value={quoteattr(value)}/>\n"
        for name, value in values.items()
    )
    return (
        f'<partnership name="{sender}-{receiver}">\n<sender name="{sender}"/>\n'
        f'<receiver name="{receiver}"/>\n{attributes}</partnership>\n'
    )
