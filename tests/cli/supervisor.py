"""What systemd does for a service, for tests: supervisor.py PROGRAM ARG...

Listens on a port of its own, hands the socket over, and prints the port and
every notification; the watchdog is set to two seconds. Ends as PROGRAM does.
"""

import os
import socket
import sys
import tempfile

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(16)
path = tempfile.mkdtemp() + "/notify"
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
pid = os.fork()
if pid == 0:
    if listener.fileno() != 3:
        os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    env = dict(
        os.environ,
        LISTEN_PID=str(os.getpid()),
        LISTEN_FDS="1",
        NOTIFY_SOCKET=path,
        WATCHDOG_PID=str(os.getpid()),
        WATCHDOG_USEC="2000000",
    )
    os.execvpe(sys.argv[1], sys.argv[1:], env)
print("port", listener.getsockname()[1], "pid", pid, flush=True)
listener.close()
while True:
    message = notify.recv(65536).decode()
    print("notified", message.replace("\n", " "), flush=True)
    if "STOPPING=1" in message:
        break
_, status = os.waitpid(pid, 0)
os.unlink(path)
os.rmdir(os.path.dirname(path))
sys.exit(os.waitstatus_to_exitcode(status))
