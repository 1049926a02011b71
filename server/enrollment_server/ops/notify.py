"""Telling systemd how far the server is (sd_notify(3)), where it started the server."""

import os
import socket


def notify(state: str) -> None:
    """Send a state, such as READY=1; nobody is told where nobody asked."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(state.encode(), address)
