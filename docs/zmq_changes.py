#!/usr/bin/env python3
"""Prints every change that one node publishes over ZeroMQ, a line of JSON for each row, until it is killed.

    python3 zmq_changes.py 127.0.0.1:7946

The address is the node's bind_addr. A node publishes its own writes only: run one of these for each node to hear the
whole cluster. What was published before this listened, and what was lost on the way, is not repeated.
Needs pyzmq (Debian: python3-zmq). zmq-wire.md, beside this file, describes the format.
"""
import json
import os
import socket
import struct
import sys

import zmq

WELCOME_SECONDS = 5  # How long the node may take to answer.
SILENCE_SECONDS = 10  # A node is heard each second: after this it is gone, or publishes elsewhere.


class Reader:
    """Takes big-endian fields off the front of some bytes; struct.error when there are too few."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values[0] if len(values) == 1 else values

    def run(self, length_form):
        return self.take("%ds" % self.take(length_form))

    def stamp(self):
        time, origin = self.take("QQ")
        return {"milliseconds": time >> 16, "counter": time & 0xFFFF, "origin": "%016x" % origin}


def find_publisher(context, address):
    """Asks the node at `address` where it publishes."""
    dealer = context.socket(zmq.DEALER)
    dealer.connect("tcp://" + address)
    # Version 2 at least and at most, a random stream; this program neither listens nor publishes.
    dealer.send(b"\x01ACSZ\x02\x02" + os.urandom(8) + bytes(5))
    answer = dealer.recv() if dealer.poll(WELCOME_SECONDS * 1000) else b""
    dealer.close(linger=0)
    if answer[:5] == b"\x03ACSZ":
        sys.exit("%s speaks none of the versions that this program does" % address)
    if answer[:5] != b"\x02ACSZ":
        sys.exit(
            "no welcome from %s within %d s: no node with transport zmq is there, or its cluster has an encrypt_key"
            % (address, WELCOME_SECONDS))
    reader = Reader(answer[7:])
    _stream, _port, port = reader.take("QHH")
    host = reader.run("B")
    if not host:
        return "tcp://%s:%d" % (address.rpartition(":")[0], port)
    family, form = (socket.AF_INET, "tcp://%s:%d") if len(host) == 4 else (socket.AF_INET6, "tcp://[%s]:%d")
    return form % (socket.inet_ntop(family, host), port)


def read_todo(reader):
    _kind, flags = reader.take("BB")
    row = {"extern_id": reader.run("H").decode(), "text": None, "completed": None, "deleted": not flags & 1}
    presence = reader.stamp()
    stamps = {"presence": presence}
    if flags & 1:
        row["created_at_milliseconds"] = reader.take("q")
    if flags & 2:
        stamps["text"] = presence if flags & 16 else reader.stamp()
        row["text"] = reader.run("I").decode()
    if flags & 4:
        stamps["completed"] = presence if flags & 32 else reader.stamp()
        row["completed"] = bool(flags & 8)
    return {**row, "stamps": stamps}


def read_frame(frame):
    """The rows of every changes message in one broadcast frame of the replication channel, version 2."""
    reader = Reader(frame)
    channel, version, _stream, _sequence = reader.take("BBQQ")
    while (channel, version) == (1, 2) and reader.at < len(frame):
        length, excluded = reader.take("IB")
        reader.take("%dx" % (8 * excluded))
        message = Reader(reader.take("%ds" % length))
        if message.data[:2] == b"\x01\x01":  # Version 1, changes.
            _version, _kind, origin, _start, sequence = message.take("BBQQQ")
            # Of a row of another kind than 1 the length is not known: the rest of the message is left.
            while message.at < length and message.data[message.at] == 1:
                yield {**read_todo(message), "node": "%016x" % origin, "sequence": sequence}


def main(address):
    context = zmq.Context()
    context.setsockopt(zmq.IPV6, 1)
    while True:
        subscriber = context.socket(zmq.SUB)
        for channel in (b"\x01", b"\x02"):  # Replication; and beats, which show that the node is there.
            subscriber.subscribe(channel)
        subscriber.connect(find_publisher(context, address))
        while subscriber.poll(SILENCE_SECONDS * 1000):
            try:
                for row in read_frame(subscriber.recv()):
                    print(json.dumps(row), flush=True)
            except (struct.error, UnicodeDecodeError) as error:
                print("malformed frame: %s" % error, file=sys.stderr)
        subscriber.close(linger=0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: zmq_changes.py host:port")
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        pass
