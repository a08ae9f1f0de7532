"""A switch between links of this network namespace that holds frames for a while: delay.py MILLISECONDS LINK... TESTS

What comes from or goes to the last link is carried at once. Ends when its standard input does.
"""
import collections
import select
import socket
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 3, 263, 15, 23
# Before each frame, struct virtio_net_hdr: what the sender's kernel left to the card (checksum, cutting into segments),
# handed on as it is, since there is no card.
HEADER_BYTES = 10

delay = int(sys.argv[1]) / 1000
links = []
for name in sys.argv[2:]:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    link.bind((name, ETH_P_ALL))
    link.setblocking(False)
    links.append(link)
tests = links[-1]
link_of = {}  # By hardware address, as a switch learns them.
waiting = collections.deque()  # All wait equally long, so first in is first out.


def carry(link, frame):
    try:
        link.send(frame)
    except OSError:
        pass  # A full or vanished link loses frames.


def take(source):
    for _ in range(64):
        try:
            frame = source.recv(1 << 17)
        except OSError:
            return
        receiver, sender = frame[HEADER_BYTES:HEADER_BYTES + 6], frame[HEADER_BYTES + 6:HEADER_BYTES + 12]
        link_of[sender] = source
        known = link_of.get(receiver)
        for target in [known] if known else links:
            if target is source:
                continue
            if tests in (source, target):
                carry(target, frame)
            else:
                waiting.append((time.monotonic() + delay, target, frame))


print("carrying", flush=True)
while True:
    timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for source in select.select(links + [sys.stdin], [], [], timeout)[0]:
        if source is sys.stdin:
            if not sys.stdin.buffer.read1(1):
                sys.exit()
        else:
            take(source)
    while waiting and waiting[0][0] <= time.monotonic():
        _, target, frame = waiting.popleft()
        carry(target, frame)
