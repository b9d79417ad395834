/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: what the adapter understands of a frame.
 */
#include "qemu/osdep.h"
#include "net/eth.h"
#include "spapr_hea_int.h"
#include <zlib.h>

#define HEA_IP          ETH_HLEN

/* Sum of 16-bit words in host order, of bytes that start at an even offset */
static uint64_t hea_sum_add(uint64_t sum, const uint8_t *buf, size_t len)
{
    uint8_t rest[4] = { };

    for (; len >= 4; len -= 4, buf += 4) {
        sum += (uint32_t)ldl_he_p(buf);
    }
    memcpy(rest, buf, len);
    return sum + (uint32_t)ldl_he_p(rest);
}

static uint16_t hea_sum_fold(uint64_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~be16_to_cpu(sum);
}

/* The Internet checksum of a buffer, as it would stand in a header */
uint16_t hea_sum(const uint8_t *buf, size_t len)
{
    return hea_sum_fold(hea_sum_add(0, buf, len));
}

/* The same for TCP or UDP over IPv4, with the pseudo header */
uint16_t hea_l4_sum(const uint8_t *ip, const uint8_t *l4, size_t len)
{
    uint64_t sum = hea_sum_add(0, ip + 12, 8);

    sum += cpu_to_be16(ip[9]);
    sum += cpu_to_be16(len);
    return hea_sum_fold(hea_sum_add(sum, l4, len));
}

static void hea_parse_l4(const uint8_t *frame, HeaL3 *l3)
{
    const uint8_t *l4 = frame + l3->l4_start;
    unsigned len = l3->end - l3->l4_start;
    unsigned header;

    if (l3->proto == IP_PROTO_TCP && len >= HEA_TCP_MIN) {
        header = 4 * (l4[12] >> 4);
        if (header < HEA_TCP_MIN || header > len) {
            return;
        }
        l3->l4_ok = !hea_l4_sum(frame + HEA_IP, l4, len);
    } else if (l3->proto == IP_PROTO_UDP && len >= HEA_UDP_LEN) {
        header = HEA_UDP_LEN;
        l3->l4_ok = !lduw_be_p(l4 + 6) ||
                    !hea_l4_sum(frame + HEA_IP, l4, len);
    } else {
        return;
    }
    l3->l4 = true;
    l3->header_len = l3->l4_start + header;
}

/* Looks for IPv4 right behind the MAC addresses, not beyond a tag */
void hea_parse_l3(const uint8_t *frame, size_t len, HeaL3 *l3)
{
    const uint8_t *ip = frame + HEA_IP;
    unsigned header, total;

    *l3 = (HeaL3) { };
    if (len < ETH_HLEN || lduw_be_p(frame + 12) != ETH_P_IP) {
        return;
    }
    l3->ipv4 = true;
    if (len < HEA_IP + HEA_IP_MIN) {
        return;
    }
    header = 4 * (ip[0] & 15);
    total = lduw_be_p(ip + 2);
    if (ip[0] >> 4 != 4 || header < HEA_IP_MIN || total < header ||
        HEA_IP + total > len || hea_sum(ip, header)) {
        return;
    }
    l3->ip_ok = true;
    l3->proto = ip[9];
    l3->fragment = lduw_be_p(ip + 6) & 0x3fff;
    l3->l4_start = HEA_IP + header;
    l3->end = HEA_IP + total;
    if (!l3->fragment) {
        hea_parse_l4(frame, l3);
    }
}

static bool hea_hash_ports(const HeaPort *port, const HeaL3 *l3)
{
    uint64_t kinds = port->rxctrl & HEA_RXC_HASHES;

    if (l3->proto == IP_PROTO_TCP) {
        return !kinds || kinds & HEA_RXC_TCP6;
    }
    return !kinds || kinds & HEA_RXC_UDP6;
}

/*
 * The real hash is not known; what matters is that a flow stays on one QP.
 * Frames without IPv4 all go to the first one.
 */
uint32_t hea_flow_hash(const HeaPort *port, const uint8_t *frame, size_t len)
{
    uint8_t tuple[13] = { };
    unsigned used = 9;
    HeaL3 l3;

    hea_parse_l3(frame, len, &l3);
    if (!l3.ip_ok) {
        return 0;
    }
    memcpy(tuple, frame + HEA_IP + 12, 8);
    tuple[8] = l3.proto;
    if (l3.l4 && hea_hash_ports(port, &l3)) {
        memcpy(tuple + 9, frame + l3.l4_start, 4);
        used = 13;
    } else if (l3.l4 && l3.proto == IP_PROTO_TCP &&
               port->rxctrl & HEA_RXC_TCP3) {
        memcpy(tuple + 9, frame + l3.l4_start + 2, 2);
        used = 11;
    }
    return crc32(0, tuple, used);
}
