"""What a program written against PyKMIP's client does with a key server.

pykmip_client.py PORT TLS-DIRECTORY GROUP before|after (the backup): every call
is checked; the first wrong answer ends it with a message.
"""

import subprocess
import sys

from kmip.core import enums
from kmip.core.factories import attributes
from kmip.pie import client, exceptions, objects

port, tls, group = int(sys.argv[1]), sys.argv[2], sys.argv[3]
factory = attributes.AttributeFactory()


def connect(version, name="media01"):
    return client.ProxyKmipClient(
        hostname="127.0.0.1",
        port=port,
        cert=f"{tls}/{name}.pem",
        key=f"{tls}/{name}.key",
        ca=f"{tls}/ca.pem",
        ssl_version="PROTOCOL_TLSv1_2",
        kmip_version=version,
    )


def same(got, want, what):
    if got != want:
        sys.exit(f"{what}: {got!r}, not {want!r}")


def refused(reason, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except exceptions.KmipOperationFailure as e:
        same(e.reason, reason, f"{call.__name__}: {e}")
        return
    sys.exit(f"{call.__name__}{args}: not refused")


def attribute(name, value):
    return factory.create_attribute(name, value)


def attributes_of(c, uid, *names):
    _, got = c.get_attributes(uid, list(names))
    return {a.attribute_name.value: a.attribute_value.value for a in got}


def locate(c, *criteria):
    return c.locate(attributes=list(criteria))


def named(name):
    return attribute(
        enums.AttributeType.NAME,
        objects_name(name),
    )


def objects_name(name):
    from kmip.core.attributes import Name

    return Name.create(name, enums.NameType.UNINTERPRETED_TEXT_STRING)


def grouped(name):
    return attribute(enums.AttributeType.OBJECT_GROUP, name)


def life_of_a_created_key(c, tag):
    uid = c.create(
        enums.CryptographicAlgorithm.AES,
        256,
        name=f"made-{tag}",
        cryptographic_usage_mask=[
            enums.CryptographicUsageMask.ENCRYPT,
            enums.CryptographicUsageMask.DECRYPT,
        ],
    )
    same(len(uid), 64, "identifier")
    same(locate(c, named(f"made-{tag}")), [uid], "locate by name")
    same(
        attributes_of(c, uid, "State", "Cryptographic Length"),
        {"State": enums.State.PRE_ACTIVE, "Cryptographic Length": 256},
        "attributes",
    )
    names = c.get_attribute_list(uid)
    for name in ("Unique Identifier", "Name", "State", "x-keygroup"):
        if name not in names:
            sys.exit(f"no {name} in {names}")
    c.activate(uid)
    same(attributes_of(c, uid, "State")["State"], enums.State.ACTIVE, "state")
    key = c.get(uid)
    same(type(key), objects.SymmetricKey, "object")
    same(len(key.value), 32, "key")
    same(c.get(uid).value, key.value, "the same key again")
    refused(enums.ResultReason.PERMISSION_DENIED, c.destroy, uid)
    c.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    same(
        attributes_of(c, uid, "State")["State"],
        enums.State.DEACTIVATED,
        "state",
    )
    same(c.get(uid).value, key.value, "an old key reads old tapes")
    # it has left the service: tapes may need it for ever
    refused(enums.ResultReason.PERMISSION_DENIED, c.destroy, uid)


CBC = {
    "cryptographic_algorithm": enums.CryptographicAlgorithm.AES,
    "block_cipher_mode": enums.BlockCipherMode.CBC,
    "padding_method": enums.PaddingMethod.PKCS5,
}
SECRET = b"a key that encrypts the keys of a backup"


def a_key_that_works_in_the_service(c, tag):
    uid = c.create(
        enums.CryptographicAlgorithm.AES, 256, name=f"works-{tag}"
    )
    refused(
        enums.ResultReason.PERMISSION_DENIED,
        c.encrypt,
        SECRET,
        uid,
        cryptographic_parameters=CBC,
    )
    c.activate(uid)
    sealed, iv = c.encrypt(SECRET, uid, cryptographic_parameters=CBC)
    same(len(iv), 16, "an IV drawn by the service")
    same(
        c.decrypt(
            sealed, uid, cryptographic_parameters=CBC, iv_counter_nonce=iv
        ),
        SECRET,
        "what was encrypted",
    )
    refused(
        enums.ResultReason.CRYPTOGRAPHIC_FAILURE,
        c.decrypt,
        sealed[:-16],
        uid,
        cryptographic_parameters=CBC,
        iv_counter_nonce=iv,
    )
    same(by_openssl(c.get(uid).value, iv, sealed), SECRET, "by openssl")
    c.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    refused(
        enums.ResultReason.PERMISSION_DENIED,
        c.encrypt,
        SECRET,
        uid,
        cryptographic_parameters=CBC,
    )
    same(
        c.decrypt(
            sealed, uid, cryptographic_parameters=CBC, iv_counter_nonce=iv
        ),
        SECRET,
        "an old key decrypts",
    )


def by_openssl(key, iv, sealed):
    # -K is seen by others: of a key made for this test, it may be
    return subprocess.run(
        ["openssl", "aes-256-cbc", "-d", "-K", key.hex(), "-iv", iv.hex()],
        input=sealed,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout


def exchange(c, operation, payload):
    """One item; PyKMIP's own calls have no argument for GCM's tag."""
    from kmip.core.messages import contents, messages

    item = messages.RequestBatchItem(
        operation=contents.Operation(operation), request_payload=payload
    )
    answer = c.proxy._send_and_receive_message(
        c.proxy._build_request_message(None, [item])
    ).batch_items[0]
    return answer.result_status.value, answer.response_payload


def gcm_of_a_tape_key(c, uid):
    from kmip.core import attributes as attrs
    from kmip.core.messages import payloads

    common = {
        "unique_identifier": uid,
        "cryptographic_parameters": attrs.CryptographicParameters(
            block_cipher_mode=enums.BlockCipherMode.GCM, random_iv=True
        ),
        "auth_additional_data": b"volume VOL001",
    }
    status, sealed = exchange(
        c,
        enums.Operation.ENCRYPT,
        payloads.EncryptRequestPayload(data=SECRET, **common),
    )
    same(status, enums.ResultStatus.SUCCESS, "encrypt by GCM")
    common.update(data=sealed.data, iv_counter_nonce=sealed.iv_counter_nonce)
    status, opened = exchange(
        c,
        enums.Operation.DECRYPT,
        payloads.DecryptRequestPayload(auth_tag=sealed.auth_tag, **common),
    )
    same(status, enums.ResultStatus.SUCCESS, "decrypt by GCM")
    same(opened.data, SECRET, "what GCM encrypted")
    status, _ = exchange(
        c,
        enums.Operation.DECRYPT,
        payloads.DecryptRequestPayload(auth_tag=bytes(16), **common),
    )
    same(status, enums.ResultStatus.OPERATION_FAILED, "another tag")


def death_of_a_key_that_nobody_fetched(c, tag):
    uid = c.create(enums.CryptographicAlgorithm.AES, 256, name=f"short-{tag}")
    c.activate(uid)
    c.revoke(enums.RevocationReasonCode.CESSATION_OF_OPERATION, uid)
    c.destroy(uid)
    refused(enums.ResultReason.ITEM_NOT_FOUND, c.get, uid)
    same(locate(c, named(f"short-{tag}")), [], "locate of a destroyed one")
    same(
        attributes_of(c, uid, "State"),
        {"State": enums.State.DESTROYED},
        "what stays of it",
    )


VALUES = {
    "key": bytes(range(32)),
    "secret": b"a password of some program",
    "opaque": b"anything",
}


def registered_objects(c, tag):
    """Not served before a backup holds them, for nobody has them again."""
    made = [
        objects.SymmetricKey(
            enums.CryptographicAlgorithm.AES,
            256,
            bytes([tag]) + VALUES["key"][1:],
            name=f"key-{tag}",
            masks=[enums.CryptographicUsageMask.ENCRYPT],
        ),
        objects.SecretData(
            VALUES["secret"],
            enums.SecretDataType.PASSWORD,
            name=f"secret-{tag}",
        ),
        objects.OpaqueObject(
            VALUES["opaque"], enums.OpaqueDataType.NONE, name=f"opaque-{tag}"
        ),
    ]
    for one in made:
        uid = c.register(one)
        refused(enums.ResultReason.PERMISSION_DENIED, c.get, uid)


def registered_objects_once_backed_up(c, tag):
    for kind, value in VALUES.items():
        uid = locate(c, named(f"{kind}-{tag}"))[0]
        if kind == "key":
            value = bytes([tag]) + value[1:]
        same(c.get(uid).value, value, kind)
        refused(enums.ResultReason.PERMISSION_DENIED, c.destroy, uid)


def what_the_command_line_made(c):
    found = locate(
        c,
        grouped(group),
        attribute(enums.AttributeType.STATE, enums.State.ACTIVE),
    )
    same(len(found), 1, f"active keys of {group}")
    same(
        attributes_of(c, found[0], "x-keygroup", "x-application"),
        {"x-keygroup": group, "x-application": "NetBackup"},
        "NetBackup's attributes",
    )
    return found[0], c.get(found[0]).value


VERSIONS = [
    enums.KMIPVersion.KMIP_1_0,
    enums.KMIPVersion.KMIP_1_2,
    enums.KMIPVersion.KMIP_1_4,
]


def before_the_backup():
    for tag, version in enumerate(VERSIONS):
        with connect(version) as c:
            life_of_a_created_key(c, tag)
            death_of_a_key_that_nobody_fetched(c, tag)
            registered_objects(c, tag)
            uid, _ = what_the_command_line_made(c)
            if version != enums.KMIPVersion.KMIP_1_0:
                a_key_that_works_in_the_service(c, tag)
            if version == enums.KMIPVersion.KMIP_1_4:
                gcm_of_a_tape_key(c, uid)
    with connect(enums.KMIPVersion.KMIP_1_2, "media02") as c:
        same(locate(c), [], "what a client of another group finds")
        refused(enums.ResultReason.ITEM_NOT_FOUND, c.get, uid)
        refused(
            enums.ResultReason.PERMISSION_DENIED,
            c.activate,
            uid,
        )
    print(uid)


def after_the_backup():
    for tag, version in enumerate(VERSIONS):
        with connect(version) as c:
            registered_objects_once_backed_up(c, tag)


before_the_backup() if sys.argv[4] == "before" else after_the_backup()
