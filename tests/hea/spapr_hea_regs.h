/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAPR Host Ethernet Adapter: formats that the guest and the adapter share.
 *
 * Everything is big-endian.  Bits are numbered the IBM way, bit 0 being the
 * most significant one of a 64-bit word.
 */
#ifndef HW_NET_SPAPR_HEA_REGS_H
#define HW_NET_SPAPR_HEA_REGS_H

#include "qemu/bitops.h"

#define HEA_BIT(n)              (1ULL << (63 - (n)))
#define HEA_BITS(first, last)   MAKE_64BIT_MASK(63 - (last), \
                                                (last) - (first) + 1)
#define HEA_GET(val, first, last) \
    extract64((val), 63 - (last), (last) - (first) + 1)
#define HEA_PUT(val, first, last) \
    deposit64(0, 63 - (last), (last) - (first) + 1, (val))

#define HEA_PAGE_BITS           12
#define HEA_PAGE_SIZE           (1u << HEA_PAGE_BITS)

/* Resource types of H_ALLOC_HEA_RESOURCE, bits 56-63 of the controls */
#define HEA_TYPE_QP             1
#define HEA_TYPE_CQ             2
#define HEA_TYPE_EQ             3
#define HEA_TYPE_MR             5
#define HEA_TYPE_SMR            7       /* ours: SMRs have their own call */

/* Controls of an EQ */
#define HEA_EQ_CTRL_NEQ         HEA_BIT(0)
#define HEA_EQ_CTRL_IRQS(c)     HEA_GET(c, 6, 7)
#define HEA_EQ_CTRL_NO_EQE      HEA_BIT(16)
#define HEA_EQ_CTRL_VALID       (HEA_BIT(0) | HEA_BITS(6, 7) | HEA_BIT(16) | \
                                 HEA_BITS(56, 63))

/* Controls of a QP */
#define HEA_QP_CTRL_RQ1_KIND(c) HEA_GET(c, 9, 11)
#define HEA_QP_CTRL_RQS(c)      HEA_GET(c, 13, 15)
#define HEA_QP_CTRL_LL          HEA_BIT(17)
#define HEA_QP_CTRL_SIG(c)      HEA_GET(c, 22, 23)
#define HEA_QP_CTRL_VALID       (HEA_BITS(9, 11) | HEA_BITS(13, 15) | \
                                 HEA_BIT(17) | HEA_BITS(22, 23) | \
                                 HEA_BITS(56, 63))
#define HEA_QP_RQS_ALL          6
#define HEA_QP_RQ1_LL           1
#define HEA_QP_SIG_BY_WQE       1

/* The only access control known: local write, the upper half of a register */
#define HEA_MR_ACCESS           0x00800000u

/* H_REGISTER_HEA_RPAGES */
#define HEA_RPAGES_VALID        (HEA_BITS(48, 55) | HEA_BITS(62, 63))
#define HEA_RPAGES_SIZE(c)      HEA_GET(c, 48, 55)
#define HEA_RPAGES_QUEUE(c)     HEA_GET(c, 62, 63)
#define HEA_RPAGES_MAX          512

/* Page-size mask of H_QUERY_HEA, and the matching page size codes 0 to 3 */
#define HEA_PGSZ_4K             0x80000000u
#define HEA_PGSZ_64K            0x40000000u
#define HEA_PGSZ_1M             0x20000000u
#define HEA_PGSZ_16M            0x10000000u

/* QP control register, also the way to ask for a state */
#define HEA_QPC_ENABLED         HEA_BIT(0)
#define HEA_QPC_VALID           (HEA_BIT(0) | HEA_BITS(16, 23) | \
                                 HEA_BITS(25, 31))
#define HEA_QPC_REQ(c)          HEA_GET(c, 16, 23)
#define HEA_QPC_STATE_PUT(s)    HEA_PUT(s, 25, 31)
#define HEA_QPC_REQ_PUT(s)      HEA_PUT(s, 16, 23)
#define HEA_QPS_RESET           1
#define HEA_QPS_INIT            2
#define HEA_QPS_RTR             3
#define HEA_QPS_RTS             5
#define HEA_QPS_ERROR           0x80

/* QP control block 0 */
#define HEA_QPCB_CONTROL        0x00
#define HEA_QPCB_SQ_SIZE        0x08
#define HEA_QPCB_RQ_SIZE        0x0c
#define HEA_QPCB_PORT           0x10
#define HEA_QPCB_AER            0x18
#define HEA_QPCB_TENURE         0x20
#define HEA_QPCB_FIELDS         6

/* H_QUERY_HEA: offset of word n is 4 * n */
#define HEA_QUERY_WORD(n)       (4 * (n))

/* Port control block 0 */
#define HEA_CB0_MAC             0x00
#define HEA_CB0_RXCTRL          0x08
#define HEA_CB0_OPER            0x18
#define HEA_CB0_SPEED           0x1c
#define HEA_CB0_EXT             0x20
#define HEA_CB0_PAUSE           0x24
#define HEA_CB0_NUM_QPS         0x28
#define HEA_CB0_QPN(i)          (0x30 + 8 * (i))
#define HEA_CB0_QPNS            16
#define HEA_CB0_M_MAC           HEA_BIT(0)
#define HEA_CB0_M_RXCTRL        HEA_BIT(1)
#define HEA_CB0_M_QPNS          HEA_BIT(7)
#define HEA_CB0_M_ALL           HEA_BITS(0, 7)
#define HEA_CB0_M_WRITE         (HEA_CB0_M_MAC | HEA_CB0_M_RXCTRL | \
                                 HEA_CB0_M_QPNS)

/* Receive control of port control block 0 */
#define HEA_RXC_VALID           HEA_BIT(49)
#define HEA_RXC_VLAN_XTRACT     HEA_BIT(50)
#define HEA_RXC_TCP6            HEA_BIT(51)
#define HEA_RXC_UDP6            HEA_BIT(52)
#define HEA_RXC_TCP3            HEA_BIT(53)
#define HEA_RXC_HASHES          HEA_BITS(51, 54)
#define HEA_RXC_JUMBO           HEA_BIT(56)
#define HEA_RXC_L4_CHECK        HEA_BIT(58)
#define HEA_RXC_IP_CHECK        HEA_BIT(59)
#define HEA_RXC_UNTAGGED        HEA_BIT(61)
#define HEA_RXC_VLAN_FILTER(c)  HEA_GET(c, 62, 63)
#define HEA_RXC_VLAN_BY_CB1     2

/* Port control blocks 1, 2, 4, 6, 7 */
#define HEA_CB1_WORDS           64
#define HEA_CB2_WORDS           11
#define HEA_CB4_SPEED           0x00
#define HEA_CB4_PAUSE           0x04
#define HEA_CB4_STATE           0x08
#define HEA_CB4_JUMBO           0x0c
#define HEA_CB4_WRAP            0x10
#define HEA_CB4_M_SPEED         HEA_BIT(0)
#define HEA_CB4_M_PAUSE         HEA_BIT(1)
#define HEA_CB4_M_STATE         HEA_BIT(2)
#define HEA_CB4_M_JUMBO         HEA_BIT(3)
#define HEA_CB4_M_WRAP          HEA_BIT(4)
#define HEA_CB4_M_ALL           HEA_BITS(0, 4)
#define HEA_CB6_WORDS           49
#define HEA_CB6_M_ALL           0xfffffe7fffff8000ULL

/* Words of port control block 2 */
enum {
    HEA_CB2_RX_OCTETS, HEA_CB2_RX_UCAST, HEA_CB2_RX_UCAST_FILTERED,
    HEA_CB2_RX_UCAST_ERRORS, HEA_CB2_RX_TOO_LONG, HEA_CB2_RX_MCAST,
    HEA_CB2_RX_BCAST, HEA_CB2_TX_OCTETS, HEA_CB2_TX_UCAST, HEA_CB2_TX_MCAST,
    HEA_CB2_TX_BCAST,
};

/* Words of port control block 6 that the model counts */
enum {
    HEA_CB6_RX_OCTETS = 0, HEA_CB6_RX_SIZE64 = 1,
    HEA_CB6_RX_TOO_LONG = 11, HEA_CB6_RX_RUNTS = 15, HEA_CB6_RX_FILTERED = 20,
    HEA_CB6_RX_OTHER = 21, HEA_CB6_RX_DEFAULT_UCAST = 23,
    HEA_CB6_RX_MCAST = 25, HEA_CB6_RX_BCAST = 26,
    HEA_CB6_TX_MCAST = 27, HEA_CB6_TX_BCAST = 28, HEA_CB6_TX_OCTETS = 29,
    HEA_CB6_TX_SIZE64 = 30, HEA_CB6_TX_BAD_FCS = 36,
};

/* H_REG_BCMC kinds, bits 60-63 of R6 */
#define HEA_MC_ALL              8
#define HEA_MC_MULTICAST        4
#define HEA_MC_UNTAGGED         2
#define HEA_MC_ANY_VLAN         1

/* H_ERROR_DATA block */
#define HEA_ERR_WORDS           24
#define HEA_ERR_HANDLE          1
#define HEA_ERR_TYPE            2
#define HEA_ERR_AER             6
#define HEA_ERR_AERR            12
#define HEA_ERR_PORT            22
#define HEA_ERR_TYPE_QP         8

/* Event queue entry, identifiers (all of them our choice) */
#define HEA_EQE_SIZE            8
#define HEA_EQE_VALID           HEA_BIT(0)
#define HEA_EQE_CQE             HEA_BIT(1)
#define HEA_EQE_ID_PUT(id)      HEA_PUT(id, 2, 7)
#define HEA_EQE_NUM_PUT(n)      HEA_PUT(n, 8, 31)
#define HEA_EQE_ID_QP_ERROR     0x05

/* Notification event queue entry */
#define HEA_NEQE_CODE_PUT(c)    HEA_PUT(c, 2, 7)
#define HEA_NEQE_CODE(v)        HEA_GET(v, 2, 7)
#define HEA_NEQE_PORT_PUT(p)    HEA_PUT(p, 32, 47)
#define HEA_NEQE_PORT_UP        HEA_BIT(16)
#define HEA_NEQE_EXT_UP         HEA_BIT(17)
#define HEA_NEQE_PRIMARY        HEA_BIT(18)
#define HEA_NEC_PORT_STATE      0x30
#define HEA_NEC_ADAPTER_MALF    0x32
#define HEA_NEC_PORT_MALF       0x33

/* H_RESET_EVENTS mask */
#define HEA_NEM_PORT_MALF       HEA_BIT(61)
#define HEA_NEM_ADAPTER_MALF    HEA_BIT(62)
#define HEA_NEM_PORT_STATE      HEA_BIT(63)
#define HEA_NEM_ALL             HEA_BITS(61, 63)

/* Completion queue entry */
#define HEA_CQE_SIZE            64
#define HEA_CQE_WR_ID           0x00
#define HEA_CQE_TYPE            0x08
#define HEA_CQE_VALID           0x09
#define HEA_CQE_STATUS          0x0a
#define HEA_CQE_BYTES           0x0e
#define HEA_CQE_VLAN            0x10
#define HEA_CQE_CSUM            0x12
#define HEA_CQE_HLEN            0x15
#define HEA_CQE_WQE_COUNT       0x1a
#define HEA_CQE_TOKEN           0x1c
#define HEA_CQE_TIMESTAMP       0x20
#define HEA_CQE_VALID_BIT       0x80
#define HEA_CQE_RQ_SHIFT        5

#define HEA_CQS_BLIND           0x8000
#define HEA_CQS_L4_ERROR        0x4000
#define HEA_CQS_IP_ERROR        0x2000
#define HEA_CQS_VLAN            0x0400
#define HEA_CQS_TOO_SHORT       0x0001  /* ours: the buffer was too small */

/* Work queue entries */
#define HEA_WQE_WR_ID           0x00
#define HEA_WQE_CONTROL         0x08
#define HEA_WQE_VLAN            0x0a
#define HEA_WQE_IP_START        0x0d    /* RWQE: number of descriptors */
#define HEA_WQE_IP_END          0x0e
#define HEA_WQE_IMM_LEN         0x0f
#define HEA_WQE_L4_CSUM         0x10
#define HEA_WQE_DESCS           0x15
#define HEA_WQE_MSS             0x1a
#define HEA_WQE_HEADER          0x20
#define HEA_WQE_IMM             0x30
#define HEA_WQE_IMM_DESCS       0xd0
#define HEA_RWQE_DESCS          0x0d
#define HEA_WQE_MAX             1024
#define HEA_IMM_MIXED_MAX       160
#define HEA_IMM_ONLY_MAX        224
#define HEA_DESC_SIZE           16

#define HEA_SWC_FCS             0x8000
#define HEA_SWC_IP_CSUM         0x4000
#define HEA_SWC_L4_CSUM         0x2000
#define HEA_SWC_TSO             0x1000
#define HEA_SWC_SIGNALLED       0x0800
#define HEA_SWC_VLAN            0x0400
#define HEA_SWC_IMM             0x0200
#define HEA_SWC_DESC            0x0100
#define HEA_SWC_PURGE           0x0010
#define HEA_SWC_VALID           0xff10

/* Registers of a QP's page */
#define HEA_QPR_AER             0x018
#define HEA_QPR_SQA             0x020
#define HEA_QPR_RQ1A            0x030
#define HEA_QPR_AERR            0x048
#define HEA_QPR_SQ_HEAD         0x108
#define HEA_QPR_SQ_TAIL         0x110
#define HEA_QPR_RQ1_HEAD        0x1c0
#define HEA_QPR_RQ1_TAIL        0x1c8
#define HEA_QPR_RQ2A            0x300
#define HEA_QPR_RQ3A            0x338
#define HEA_QPR_ADD(v)          HEA_GET(v, 48, 63)

/* Registers of a CQ's page */
#define HEA_CQR_FECA            0x038
#define HEA_CQR_EP              0x040
#define HEA_CQR_N1              0x060
#define HEA_CQR_ADD(v)          HEA_GET(v, 32, 63)
#define HEA_CQR_PENDING         HEA_BIT(0)
#define HEA_CQR_ARM             HEA_BIT(0)

/* AER values of QP errors (all of them our choice) */
#define HEA_AER_SQ_DMA          0x0000000000000001ULL
#define HEA_AER_RQ_DMA          0x0000000000000002ULL
#define HEA_AER_SQ_OVERRUN      0x0000000000000004ULL
#define HEA_AER_RQ_OVERRUN      0x0000000000000008ULL
#define HEA_AER_BAD_WQE         0x0000000000000010ULL
#define HEA_AER_CQ_OVERRUN      0x0000000000000020ULL
#define HEA_AER_QUEUE_DMA       0x0000000000000040ULL
#define HEA_AER_INJECTED        0x8000000000000000ULL

#endif
