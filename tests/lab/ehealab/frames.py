# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames: building them and taking them apart."""

import ipaddress
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
TYPE_IP = 0x0800
TYPE_ARP = 0x0806
TYPE_VLAN = 0x8100
TYPE_REQUEST = 0x88b5    # local experiments; tests/lab/guest/frameecho.c
TYPE_REPLY = 0x88b6
MIN_FRAME = 60           # without the frame check sequence


def mac_bytes(text):
    """aa:bb:... as six bytes."""
    return bytes.fromhex(text.replace(":", ""))


def mac_text(data):
    """Six bytes as aa:bb:..."""
    return ":".join(f"{b:02x}" for b in data)


def ip_bytes(text):
    """A dotted IPv4 address as four bytes."""
    return ipaddress.IPv4Address(text).packed


def ether(dst, src, ethertype, payload=b"", pad=True):
    """A frame, padded to the least size unless told otherwise."""
    frame = mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", ethertype) + \
        payload
    return frame.ljust(MIN_FRAME, b"\0") if pad else frame


def checksum(data):
    """The Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(src, dst, proto, payload, ident=0, ttl=64, frag=0):
    """An IPv4 packet."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident,
                       frag, ttl, proto, 0, ip_bytes(src), ip_bytes(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(src, dst, sport, dport, payload, check=True):
    """A UDP datagram as IPv4 payload; check False leaves the sum zero."""
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    total = 0
    if check:
        pseudo = ip_bytes(src) + ip_bytes(dst) + \
            struct.pack("!BBH", 0, 17, 8 + len(payload))
        total = checksum(pseudo + head + payload) or 0xffff
    return head[:6] + struct.pack("!H", total) + payload


def udp_frame(dst, src, dst_ip, src_ip, dport, sport, payload, check=True):
    """A whole frame with a UDP datagram."""
    datagram = udp(src_ip, dst_ip, sport, dport, payload, check)
    return ether(dst, src, TYPE_IP, ipv4(src_ip, dst_ip, 17, datagram))


def icmp_echo(kind, ident, seq, payload):
    """An ICMP echo request (8) or reply (0)."""
    body = struct.pack("!BBHHH", kind, 0, 0, ident, seq) + payload
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def arp(kind, sha, spa, tha, tpa):
    """An ARP request (1) or reply (2)."""
    return struct.pack("!HHBBH", 1, TYPE_IP, 6, 4, kind) + mac_bytes(sha) + \
        ip_bytes(spa) + mac_bytes(tha) + ip_bytes(tpa)


class Frame:
    """A received frame and when it came."""

    def __init__(self, data, time):
        self.data = data
        self.time = time

    @property
    def dst(self):
        """Destination address."""
        return mac_text(self.data[:6])

    @property
    def src(self):
        """Source address."""
        return mac_text(self.data[6:12])

    @property
    def type(self):
        """EtherType."""
        return struct.unpack_from("!H", self.data, 12)[0]

    @property
    def payload(self):
        """What follows the EtherType."""
        return self.data[14:]

    def ip(self):
        """(source, destination, protocol, payload), or None."""
        if self.type != TYPE_IP or len(self.data) < 34:
            return None
        pkt = self.payload
        head = (pkt[0] & 15) * 4
        total = struct.unpack_from("!H", pkt, 2)[0]
        return (str(ipaddress.IPv4Address(pkt[12:16])),
                str(ipaddress.IPv4Address(pkt[16:20])), pkt[9],
                pkt[head:total])

    def __repr__(self):
        return f"<{self.src} > {self.dst} {self.type:04x} {len(self.data)}>"
