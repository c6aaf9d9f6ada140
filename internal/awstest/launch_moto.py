"""Runs moto on a free port of its own, prints the port, and ends with its parent.

The argument is the port that clients use, where the proxy of package awstest listens:
moto's own state machines call functions and buckets there.
"""

import logging
import os
import sys
import threading


def end_with_parent():
    # Whoever started us holds the other end of stdin; however it dies, it closes it.
    os.read(0, 1)
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
os.environ["MOTO_PORT"] = sys.argv[1]
logging.getLogger("werkzeug").setLevel(logging.ERROR)

from moto.moto_server.werkzeug_app import (  # noqa: E402 (reads MOTO_PORT)
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server  # noqa: E402

server = make_server(
    "127.0.0.1",
    0,
    DomainDispatcherApplication(create_backend_app),
    threaded=True,
    request_handler=MotoRequestHandler,
)
print(server.port, flush=True)
server.serve_forever()
