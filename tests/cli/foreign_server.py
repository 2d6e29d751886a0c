"""A key server of somebody else's, for tests: foreign_server.py TLS-DIRECTORY

Speaks as much KMIP 1.2 as a tape drive's client needs, names its keys by
UUIDs, and knows no attribute of ours. Prints its port, then each operation.
"""

import socket
import ssl
import struct
import sys

UUID = "01234567-89ab-cdef-0123-456789abcdef"
KEY = bytes(range(32))
OPS = {8: "Locate", 10: "Get", 13: "AddAttribute"}


def item(tag, kind, value):
    if kind == 1:
        body = b"".join(value)
        size = len(body)
    elif kind in (2, 5):
        body, size = struct.pack(">I4x", value), 4
    elif kind == 9:
        body, size = struct.pack(">q", value), 8
    else:
        size = len(value)
        body = value + bytes(-size % 8)
    return struct.pack(">I", tag << 8 | kind) + struct.pack(">I", size) + body


def parse(data):
    out, at = [], 0
    while at < len(data):
        head, size = struct.unpack_from(">II", data, at)
        value = data[at + 8 : at + 8 + size]
        kind = head & 255
        if kind == 1:
            value = parse(value)
        elif kind in (2, 5):
            value = struct.unpack(">I", value)[0]
        out.append((head >> 8, value))
        at += 8 + size + -size % 8
    return out


def find(items, tag):
    return next((v for t, v in items if t == tag), None)


def answer(op, payload, placeholder):
    """Status, reason or None, payload, placeholder."""
    uid = find(payload, 0x420094) or placeholder
    if op == 8:
        return 0, None, [item(0x420094, 7, UUID.encode())], UUID.encode()
    if op == 10 and uid == UUID.encode():
        material = item(0x420043, 8, KEY)
        block = [
            item(0x420042, 5, 1),
            item(0x420045, 1, [material]),
            item(0x420028, 5, 3),
            item(0x42002A, 2, 256),
        ]
        return (
            0,
            None,
            [
                item(0x420057, 5, 2),
                item(0x420094, 7, uid),
                item(0x42008F, 1, [item(0x420040, 1, block)]),
            ],
            uid,
        )
    return 1, 1 if op == 10 else 5, [], placeholder


def respond(request):
    items = [v for t, v in request if t == 0x42000F]
    placeholder, out = None, []
    for one in items:
        op, unique = find(one, 0x42005C), find(one, 0x420093)
        status, reason, payload, placeholder = answer(
            op, find(one, 0x420079), placeholder
        )
        uid = find(find(one, 0x420079), 0x420094)
        print(OPS.get(op, op), uid.decode() if uid else "", flush=True)
        fields = [item(0x42005C, 5, op)]
        if unique:
            fields.append(item(0x420093, 8, unique))
        fields.append(item(0x42007F, 5, status))
        if reason:
            fields.append(item(0x42007E, 5, reason))
        else:
            fields.append(item(0x42007C, 1, payload))
        out.append(item(0x42000F, 1, fields))
    header = item(
        0x42007A,
        1,
        [
            item(0x420069, 1, [item(0x42006A, 2, 1), item(0x42006B, 2, 2)]),
            item(0x420092, 9, 0),
            item(0x42000D, 2, len(items)),
        ],
    )
    return item(0x42007B, 1, [header] + out)


def serve(conn):
    stream = conn.makefile("rb")
    while True:
        head = stream.read(8)
        if len(head) < 8:
            return
        body = stream.read(struct.unpack(">I", head[4:])[0])
        conn.sendall(respond(parse(head + body)[0][1]))


tls = sys.argv[1]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{tls}/server.pem", f"{tls}/server.key")
context.load_verify_locations(f"{tls}/ca.pem")
context.verify_mode = ssl.CERT_REQUIRED
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(4)
print("port", listener.getsockname()[1], flush=True)
while True:
    plain, _ = listener.accept()
    try:
        with context.wrap_socket(plain, server_side=True) as conn:
            serve(conn)
    except OSError as e:
        print("connection:", e, flush=True)
