// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Queues by the netdev family of generic netlink.
 *
 *   qstats DEVICE		their statistics
 *   qstats DEVICE links	whose they are
 *
 * prints "SCOPE NAME VALUE", SCOPE being "device", "rx0", "tx0" and so on: with
 * "links" it is "rx0 napi ID" for each queue, and "napiID irq NUMBER" and
 * "napiID pid NUMBER" for what they have.
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
#define NETDEV_CMD_QUEUE_GET	10
#define NETDEV_CMD_NAPI_GET	11
#define NETDEV_CMD_QSTATS_GET	12
#define NETDEV_A_SCOPE		4
#define NETDEV_SCOPE_QUEUE	1

#define NAMES			36

/* What one command answers: where it says of what, and what is shown. */
struct object {
	uint8_t cmd;
	uint16_t ifindex, type, id;
	const char *scope;
	const char *names[NAMES];
};

static const struct object stats = {
	NETDEV_CMD_QSTATS_GET, 1, 2, 3, "device", {
	[8] = "rx_packets", [9] = "rx_bytes", [10] = "tx_packets",
	[11] = "tx_bytes", [12] = "rx_alloc_fail", [15] = "rx_csum_complete",
	[16] = "rx_csum_unnecessary", [17] = "rx_csum_none",
	[18] = "rx_csum_bad", [27] = "tx_needs_csum",
	[28] = "tx_hw_gso_packets", [30] = "tx_hw_gso_wire_packets",
	[33] = "tx_stop", [34] = "tx_wake",
	}
};

static const struct object queues = {
	NETDEV_CMD_QUEUE_GET, 2, 3, 1, "device", { [4] = "napi" }
};

static const struct object napis = {
	NETDEV_CMD_NAPI_GET, 1, 0, 2, "napi", { [3] = "irq", [4] = "pid" }
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

static void show(const struct nlmsghdr *nlh, const struct object *of)
{
	uint64_t tx = find(nlh, of->type, 2), id = find(nlh, of->id, -1);
	const struct nlattr *attr;
	char scope[32];
	uint16_t type;

	snprintf(scope, sizeof(scope), "%s", of->scope);
	if (id != (uint64_t)-1)
		snprintf(scope, sizeof(scope), "%s%u",
			 tx == 1 ? "tx" : tx ? of->scope : "rx",
			 (unsigned int)id);
	for_each_attr(attr, nlh) {
		type = attr->nla_type & NLA_TYPE_MASK;
		if (type < NAMES && of->names[type])
			printf("%s %s %llu\n", scope, of->names[type],
			       (unsigned long long)value(attr));
	}
}

/* Show all of an answer, or return its first attribute of this type. */
static uint64_t answer(int fd, uint16_t type, const struct object *of)
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
			show(nlh, of);
		}
	}
}

static void dump(int fd, uint16_t family, uint32_t ifindex,
		 const struct object *of, uint32_t scope)
{
	struct request req;

	start(&req, family, of->cmd, NLM_F_DUMP);
	put(&req, of->ifindex, &ifindex, sizeof(ifindex));
	if (scope)
		put(&req, NETDEV_A_SCOPE, &scope, sizeof(scope));
	ask(fd, &req);
	answer(fd, 0, of);
}

int main(int argc, char **argv)
{
	int links = argc == 3 && !strcmp(argv[2], "links");
	struct request req;
	uint32_t ifindex;
	uint16_t family;
	int fd;

	if (argc != 2 && !links) {
		fprintf(stderr, "usage: %s DEVICE [links]\n", argv[0]);
		return 2;
	}
	ifindex = if_nametoindex(argv[1]);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	if (!ifindex || fd < 0)
		die(argv[1]);
	start(&req, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	put(&req, CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"));
	ask(fd, &req);
	family = answer(fd, CTRL_ATTR_FAMILY_ID, NULL);

	dump(fd, family, ifindex, links ? &queues : &stats, 0);
	if (links)
		dump(fd, family, ifindex, &napis, 0);
	else
		dump(fd, family, ifindex, &stats, NETDEV_SCOPE_QUEUE);
	close(fd);
	return 0;
}
