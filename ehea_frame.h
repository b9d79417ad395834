/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host Ethernet Adapter (HEA): what is decided about a frame or a completion,
 * without side effects. What the adapter writes is not trusted.
 */
#ifndef EHEA_FRAME_H
#define EHEA_FRAME_H

#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>

#include "ehea_hw.h"

/*
 * Segments smaller than this are left to the stack: they are rare, and such
 * ones froze other adapters of this platform.
 */
#define EHEA_MSS_MIN		224

/* Payload that one WQE may stand for, and the frames that this makes. */
#define EHEA_TSO_BYTES_MAX	SZ_64K
#define EHEA_TSO_SEGS_MAX	DIV_ROUND_UP(EHEA_TSO_BYTES_MAX, EHEA_MSS_MIN)

/**
 * ehea_cqe_queue - queue that a receive completion belongs to
 * @cqe: completion
 *
 * Return: &enum ehea_qp_queue; EHEA_SQ makes no sense.
 */
static inline unsigned int ehea_cqe_queue(const struct ehea_cqe *cqe)
{
	return FIELD_GET(EHEA_CQE_TYPE_RQ, cqe->type);
}

/**
 * ehea_cqe_len - length of a received frame
 * @cqe: completion
 * @max: most bytes that the adapter can have written, FCS included
 *
 * Return: bytes without the FCS, or -EINVAL.
 */
static inline int ehea_cqe_len(const struct ehea_cqe *cqe, u32 max)
{
	int len = be16_to_cpu(cqe->bytes) - ETH_FCS_LEN;

	if (unlikely(len < ETH_HLEN || len > (int)(max - ETH_FCS_LEN)))
		return -EINVAL;
	return len;
}

/**
 * ehea_cqe_group - groups that a send completion completes
 * @cqe: completion
 * @mask: slots - 1
 * @tail: groups known to be complete, free running
 * @head: groups that the adapter was told of, free running
 *
 * WQEs complete in order, so a completion stands for all before it.
 *
 * Return: groups to complete, from @tail on; 0 if the completion names none
 *	   that is on its way.
 */
static inline u32 ehea_cqe_group(const struct ehea_cqe *cqe, u32 mask,
				 u32 tail, u32 head)
{
	u64 wr_id = be64_to_cpu(cqe->wr_id);
	u32 ahead = ((u32)wr_id - tail) & mask;

	if (unlikely(wr_id > mask || ahead >= head - tail))
		return 0;
	return ahead + 1;
}

/**
 * enum ehea_rx_verdict - what becomes of a received frame
 * @EHEA_RX_CHECKED: the adapter found the TCP or UDP checksum right
 * @EHEA_RX_SUMMED: not IPv4; the adapter gives the sum over the frame
 * @EHEA_RX_UNCHECKED: for the stack to check
 * @EHEA_RX_CSUM_ERROR: a checksum is wrong; for the stack to judge
 * @EHEA_RX_FCS_ERROR: damaged on the wire, dropped
 * @EHEA_RX_ERROR: not received in full, dropped
 */
enum ehea_rx_verdict {
	EHEA_RX_CHECKED,
	EHEA_RX_SUMMED,
	EHEA_RX_UNCHECKED,
	EHEA_RX_CSUM_ERROR,
	EHEA_RX_FCS_ERROR,
	EHEA_RX_ERROR,
};

/**
 * ehea_rx_verdict - what becomes of a received frame
 * @cqe: completion
 *
 * Return: the verdict.
 */
static inline enum ehea_rx_verdict ehea_rx_verdict(const struct ehea_cqe *cqe)
{
	u16 status = be16_to_cpu(cqe->status);

	/* Without a header length it is neither TCP nor UDP. */
	if (likely(!(status & (EHEA_CQE_RX_ERR | EHEA_CQE_BLIND))))
		return cqe->header_len ? EHEA_RX_CHECKED : EHEA_RX_UNCHECKED;
	if (status & EHEA_CQE_FATAL)
		return EHEA_RX_ERROR;
	if (status & EHEA_CQE_FCS_ERR)
		return EHEA_RX_FCS_ERROR;
	if (status & EHEA_CQE_BLIND)
		return EHEA_RX_SUMMED;
	if (status & EHEA_CQE_IP_ERR || cqe->header_len)
		return EHEA_RX_CSUM_ERROR;
	return EHEA_RX_UNCHECKED;
}

/**
 * ehea_rx_plain - is a frame one like most?
 * @head: &ehea_cqe.head
 * @cqe: completion
 *
 * Return: 0 unless its checksum is right and there is no tag to be told of.
 */
static inline u32 ehea_rx_plain(u32 head, const struct ehea_cqe *cqe)
{
	if (unlikely(head & (EHEA_CQE_RX_ERR | EHEA_CQE_BLIND | EHEA_CQE_VLAN)))
		return 0;
	return cqe->header_len;
}

/**
 * ehea_rx_is_whole - can the TCP or UDP checksum of a frame be checked at all
 * @skb: after eth_type_trans()
 *
 * Return: false for a fragment, and for all that is not plain IPv4.
 */
static inline bool ehea_rx_is_whole(const struct sk_buff *skb)
{
	/* Of a shorter frame IP makes nothing; the buffer is never shorter. */
	if (likely(skb->protocol == htons(ETH_P_IP)))
		return !ip_is_fragment((const struct iphdr *)skb->data);
	return skb->protocol == htons(ETH_P_8021Q) &&
	       !ip_is_fragment((const struct iphdr *)(skb->data + VLAN_HLEN));
}

/**
 * ehea_tx_can_csum - can the adapter insert the checksum that a frame needs
 * @skb: CHECKSUM_PARTIAL
 *
 * Return: true for TCP and UDP right behind an IPv4 header, if all offsets
 *	   fit their bytes in the WQE.
 */
static inline bool ehea_tx_can_csum(const struct sk_buff *skb)
{
	int start = skb_checksum_start_offset(skb);
	int network = skb_network_offset(skb);
	const struct iphdr *iph = ip_hdr(skb);

	/* The linear part reaches behind the checksum. */
	if (network < ETH_HLEN || start + skb->csum_offset > U8_MAX ||
	    start - network < (int)sizeof(*iph))
		return false;
	/* Its EtherType is right in front of it, be there a tag or not. */
	if (((const __be16 *)iph)[-1] != htons(ETH_P_IP) ||
	    start - network != iph->ihl * 4 || ip_is_fragment(iph))
		return false;
	if (iph->protocol == IPPROTO_TCP)
		return skb->csum_offset == offsetof(struct tcphdr, check);
	return iph->protocol == IPPROTO_UDP &&
	       skb->csum_offset == offsetof(struct udphdr, check);
}

/**
 * ehea_tx_can_segment - can the adapter segment a frame
 * @skb: GSO by TCP over IPv4
 *
 * Return: true if the headers fit the immediate data and the payload the
 *	   descriptors.
 */
static inline bool ehea_tx_can_segment(const struct sk_buff *skb)
{
	unsigned int hdr = skb_tcp_all_headers(skb);
	unsigned int pieces = skb_shinfo(skb)->nr_frags;

	if (hdr > EHEA_SWQE_MIXED_IMM_MAX || skb_headlen(skb) < hdr)
		return false;
	if (skb_headlen(skb) > hdr)
		pieces++;
	return pieces <= EHEA_SWQE_MIXED_SGES &&
	       skb->len - hdr <= EHEA_TSO_BYTES_MAX &&
	       skb_shinfo(skb)->gso_size >= EHEA_MSS_MIN;
}

/**
 * ehea_tx_features - what the adapter does of what a frame needs
 * @skb: frame
 * @features: what the port offers
 *
 * Return: @features less what the stack must do for this frame.
 */
static inline netdev_features_t ehea_tx_features(const struct sk_buff *skb,
						 netdev_features_t features)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL && !ehea_tx_can_csum(skb))
		return features & ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
	if (skb_is_gso(skb) && !ehea_tx_can_segment(skb))
		return features & ~NETIF_F_GSO_MASK;
	return features;
}

#endif /* EHEA_FRAME_H */
