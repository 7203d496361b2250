#!/usr/bin/env python3
"""Reads a TensorBoard event file by the definitions of its formats alone, and prints a line for each thing in it.

    read_events.py FILE
        version brain.Event:2 | start STEP | scalar STEP TAG VALUE | image STEP TAG HEIGHT WIDTH CHANNELS BYTES FIRST_BYTES

Nothing of the writer is used here: TFRecord frames with CRC-32C, protobuf's wire format, the field numbers of event.proto and
summary.proto. A wrong checksum or a cut record ends with an error.
"""
import struct
import sys
import time


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        head = data[at:at + 8]
        (length,) = struct.unpack("<Q", head)
        (check,) = struct.unpack("<I", data[at + 8:at + 12])
        assert check == masked(head), "checksum of a length"
        body = data[at + 12:at + 12 + length]
        assert len(body) == length, "a cut record"
        (check,) = struct.unpack("<I", data[at + 12 + length:at + 16 + length])
        assert check == masked(body), "checksum of a record"
        yield body
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                assert kind == 2, "a wire type"
                size, at = varint(data, at)
            value = data[at:at + size]
            assert len(value) == size, "a cut field"
            at += size
        yield key >> 3, value


def number(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def main():
    assert crc32c(b"123456789") == 0xE3069283
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    for body in records(data):
        event = dict(fields(body))
        step = number(event.get(2, 0))
        assert abs(struct.unpack("<d", event[1])[0] - time.time()) < 86400, "the time"
        if 3 in event:
            print("version", event[3].decode())
        if 7 in event:
            assert dict(fields(event[7])) == {1: 1}
            print("start", step)
        if 5 not in event:
            continue
        for field, value in fields(event[5]):
            assert field == 1
            parts = dict(fields(value))
            tag = parts[1].decode()
            if 2 in parts:
                print("scalar", step, tag, "%.6g" % struct.unpack("<f", parts[2])[0])
            if 4 in parts:
                picture = dict(fields(parts[4]))
                print("image", step, tag, picture[1], picture[2], picture[3], len(picture[4]), picture[4][:4].hex())


main()
