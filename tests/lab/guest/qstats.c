// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queue statistics by the netdev family of generic netlink.
 *
 *   qstats DEVICE
 *
 * prints "SCOPE NAME VALUE", SCOPE being "device", "rx0", "tx0" and so on.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As in linux/netdev.h, which is younger than the C library's headers. */
#define NETDEV_CMD_QSTATS_GET	12
#define NETDEV_A_IFINDEX	1
#define NETDEV_A_QUEUE_TYPE	2
#define NETDEV_A_QUEUE_ID	3
#define NETDEV_A_SCOPE		4
#define NETDEV_SCOPE_QUEUE	1

static const char *const names[] = {
	[8] = "rx_packets", [9] = "rx_bytes", [10] = "tx_packets",
	[11] = "tx_bytes", [12] = "rx_alloc_fail", [15] = "rx_csum_complete",
	[16] = "rx_csum_unnecessary", [17] = "rx_csum_none",
	[18] = "rx_csum_bad", [27] = "tx_needs_csum",
	[28] = "tx_hw_gso_packets", [30] = "tx_hw_gso_wire_packets",
	[33] = "tx_stop", [34] = "tx_wake",
};

struct request {
	struct nlmsghdr nlh;
	struct genlmsghdr genl;
	char attrs[64];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(struct request *req, uint16_t type, const void *data,
		uint16_t len)
{
	struct nlattr *attr = (void *)((char *)req + req->nlh.nlmsg_len);

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	req->nlh.nlmsg_len += NLA_ALIGN(attr->nla_len);
}

static void start(struct request *req, uint16_t family, uint8_t cmd,
		  uint16_t flags)
{
	memset(req, 0, sizeof(*req));
	req->nlh.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	req->nlh.nlmsg_type = family;
	req->nlh.nlmsg_flags = NLM_F_REQUEST | flags;
	req->genl.cmd = cmd;
	req->genl.version = 1;
}

static void ask(int fd, const struct request *req)
{
	if (send(fd, req, req->nlh.nlmsg_len, 0) < 0)
		die("send");
}

/* Integers come as short as they can. */
static uint64_t value(const struct nlattr *attr)
{
	const void *data = (const char *)attr + NLA_HDRLEN;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (attr->nla_len - NLA_HDRLEN) {
	case sizeof(v16):
		memcpy(&v16, data, sizeof(v16));
		return v16;
	case sizeof(v32):
		memcpy(&v32, data, sizeof(v32));
		return v32;
	case sizeof(v64):
		memcpy(&v64, data, sizeof(v64));
		return v64;
	}
	return 0;
}

#define for_each_attr(attr, nlh) \
	for (attr = (void *)((char *)(nlh) + NLMSG_LENGTH(GENL_HDRLEN)); \
	     (char *)attr + NLA_HDRLEN <= (char *)(nlh) + (nlh)->nlmsg_len; \
	     attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len)))

static uint64_t find(const struct nlmsghdr *nlh, uint16_t type, uint64_t none)
{
	const struct nlattr *attr;

	for_each_attr(attr, nlh)
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return value(attr);
	return none;
}

static void show(const struct nlmsghdr *nlh)
{
	uint64_t tx = find(nlh, NETDEV_A_QUEUE_TYPE, 2);
	const struct nlattr *attr;
	char scope[16] = "device";
	uint16_t type;

	if (tx < 2)
		snprintf(scope, sizeof(scope), "%s%u", tx ? "tx" : "rx",
			 (unsigned int)find(nlh, NETDEV_A_QUEUE_ID, 0));
	for_each_attr(attr, nlh) {
		type = attr->nla_type & NLA_TYPE_MASK;
		if (type < sizeof(names) / sizeof(names[0]) && names[type])
			printf("%s %s %llu\n", scope, names[type],
			       (unsigned long long)value(attr));
	}
}

/* Show all of an answer, or return its first attribute of this type. */
static uint64_t answer(int fd, uint16_t type)
{
	static char buf[65536];
	struct nlmsghdr *nlh;
	ssize_t len;

	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			die("recv");
		for (nlh = (void *)buf; NLMSG_OK(nlh, len);
		     nlh = NLMSG_NEXT(nlh, len)) {
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				struct nlmsgerr *err = NLMSG_DATA(nlh);

				errno = -err->error;
				die("answer");
			}
			if (nlh->nlmsg_type == NLMSG_DONE)
				return 0;
			if (type)
				return find(nlh, type, 0);
			show(nlh);
		}
	}
}

int main(int argc, char **argv)
{
	uint32_t ifindex, scope = NETDEV_SCOPE_QUEUE;
	struct request req;
	uint16_t family;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DEVICE\n", argv[0]);
		return 2;
	}
	ifindex = if_nametoindex(argv[1]);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	if (!ifindex || fd < 0)
		die(argv[1]);
	start(&req, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put(&req, CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"));
	ask(fd, &req);
	family = answer(fd, CTRL_ATTR_FAMILY_ID);

	/* The whole device, then each queue. */
	start(&req, family, NETDEV_CMD_QSTATS_GET, NLM_F_DUMP);
	put(&req, NETDEV_A_IFINDEX, &ifindex, sizeof(ifindex));
	ask(fd, &req);
	answer(fd, 0);
	put(&req, NETDEV_A_SCOPE, &scope, sizeof(scope));
	ask(fd, &req);
	answer(fd, 0);
	close(fd);
	return 0;
}
