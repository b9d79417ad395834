# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames: building them and taking them apart."""

import ipaddress
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
TYPE_IP = 0x0800
TYPE_ARP = 0x0806
TYPE_VLAN = 0x8100
TYPE_IPV6 = 0x86dd
TYPE_REQUEST = 0x88b5    # local experiments; tests/lab/guest/frameecho.c
TYPE_REPLY = 0x88b6
SUMMED = {6: "tcp", 17: "udp", 58: "icmp6"}
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


def tagged(frame, vid):
    """The frame with a VLAN tag behind its addresses."""
    return frame[:12] + struct.pack("!HH", TYPE_VLAN, vid) + frame[12:]


def l4_sum(packet):
    """The checksum over the TCP, UDP or ICMPv6 part of an IP packet: 0 if the
    one that stands in it is right."""
    if packet[0] >> 4 == 6:
        addresses, proto, data = packet[8:40], packet[6], packet[40:]
    else:
        head = (packet[0] & 15) * 4
        addresses, proto, data = packet[12:20], packet[9], packet[head:]
    return checksum(addresses + struct.pack("!II", len(data), proto) + data)


def ipv6(src, dst, proto, payload, at=6):
    """An IPv6 packet; the checksum of its payload is put at this place."""
    packet = struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + \
        ipaddress.IPv6Address(src).packed + \
        ipaddress.IPv6Address(dst).packed + payload
    at += 40
    return packet[:at] + struct.pack("!H", l4_sum(packet) or 0xffff) + \
        packet[at + 2:]


def udp_frame6(dst, src, dst_ip, src_ip, dport, sport, payload):
    """A whole frame with a UDP datagram in IPv6."""
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    return ether(dst, src, TYPE_IPV6, ipv6(src_ip, dst_ip, 17, head + payload))


def tcp_frame(dst, src, dst_ip, src_ip, dport, sport, seq, flags=0x10,
              payload=b""):
    """A whole frame with a TCP segment; flags are ACK unless given."""
    data = struct.pack("!HHIIBBHHH", sport, dport, seq, 1, 0x50, flags, 65535,
                       0, 0) + payload
    total = l4_sum(ipv4(src_ip, dst_ip, 6, data))
    data = data[:16] + struct.pack("!H", total) + data[18:]
    return ether(dst, src, TYPE_IP,
                 ipv4(src_ip, dst_ip, 6, data, frag=0x4000))


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

    @property
    def vid(self):
        """VLAN id of the tag, or None."""
        if self.type != TYPE_VLAN:
            return None
        return struct.unpack_from("!H", self.data, 14)[0] & 0xfff

    def packet(self):
        """The IPv4 or IPv6 packet without padding, behind a tag if there is
        one; empty if there is none."""
        data = self.data[16 if self.type == TYPE_VLAN else 12:]
        kind, length4, length6 = struct.unpack_from("!HxxHH", data)
        if kind == TYPE_IP:
            return data[2:2 + length4]
        return data[2:42 + length6] if kind == TYPE_IPV6 else b""

    @property
    def version(self):
        """Version of IP, or 0."""
        return self.packet()[0] >> 4 if self.packet() else 0

    def is_fragment(self):
        """Whether it has only a part of an IPv4 packet."""
        packet = self.packet()
        return self.version == 4 and \
            struct.unpack_from("!H", packet, 6)[0] & 0x3fff != 0

    def l4(self):
        """(protocol, header and data) of an IP packet, or (None, b"")."""
        packet = self.packet()
        if self.version == 4:
            return packet[9], packet[(packet[0] & 15) * 4:]
        return (packet[6], packet[40:]) if packet else (None, b"")

    def wrong_sums(self):
        """Names of the checksums that are wrong or missing. Of a fragment
        only that of its IP header can be told."""
        packet = self.packet()
        out = []
        if self.version == 4 and checksum(packet[:(packet[0] & 15) * 4]):
            out.append("ip")
        proto, data = self.l4()
        if proto not in SUMMED or self.is_fragment():
            return out
        if l4_sum(packet) or proto == 17 and data[6:8] == b"\0\0":
            out.append(SUMMED[proto])
        return out

    def __repr__(self):
        return f"<{self.src} > {self.dst} {self.type:04x} {len(self.data)}>"
