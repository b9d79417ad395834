// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of libmnl that ethtool and devlink use, see libmnl/libmnl.h.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mnl_socket {
	int fd;
	struct sockaddr_nl addr;
};

/* Sockets */

struct mnl_socket *mnl_socket_open(int bus)
{
	struct mnl_socket *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->fd = socket(AF_NETLINK, SOCK_RAW, bus);
	if (nl->fd < 0) {
		free(nl);
		return NULL;
	}
	return nl;
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	socklen_t len = sizeof(nl->addr);

	nl->addr.nl_family = AF_NETLINK;
	nl->addr.nl_groups = groups;
	nl->addr.nl_pid = pid;
	if (bind(nl->fd, (struct sockaddr *)&nl->addr, len))
		return -1;
	return getsockname(nl->fd, (struct sockaddr *)&nl->addr, &len);
}

int mnl_socket_close(struct mnl_socket *nl)
{
	int ret = close(nl->fd);

	free(nl);
	return ret;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return nl->addr.nl_pid;
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf,
			  socklen_t len)
{
	return setsockopt(nl->fd, SOL_NETLINK, type, buf, len);
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *buf,
			  size_t len)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(nl->fd, buf, len, 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel));
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf,
			    size_t size)
{
	struct iovec iov = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len = recvmsg(nl->fd, &msg, 0);

	if (len >= 0 && msg.msg_flags & MSG_TRUNC) {
		errno = ENOSPC;
		return -1;
	}
	return len;
}

/* Messages */

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *nlh = buf;

	memset(nlh, 0, MNL_NLMSG_HDRLEN);
	nlh->nlmsg_len = MNL_NLMSG_HDRLEN;
	return nlh;
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *nlh)
{
	return (char *)nlh + MNL_ALIGN(nlh->nlmsg_len);
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	void *at = (char *)nlh + nlh->nlmsg_len;

	nlh->nlmsg_len += MNL_ALIGN(size);
	return memset(at, 0, MNL_ALIGN(size));
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return (char *)nlh + MNL_NLMSG_HDRLEN;
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *nlh, size_t offset)
{
	return (char *)nlh + MNL_NLMSG_HDRLEN + MNL_ALIGN(offset);
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - MNL_NLMSG_HDRLEN;
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       (int)nlh->nlmsg_len <= len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	*len -= MNL_ALIGN(nlh->nlmsg_len);
	return mnl_nlmsg_get_payload_tail(nlh);
}

void mnl_nlmsg_fprintf(FILE *out, const void *data, size_t len,
		       size_t extra_header_size)
{
	const unsigned char *bytes = data;
	size_t i;

	(void)extra_header_size;
	for (i = 0; i < len; i++)
		fprintf(out, "%02x%s", bytes[i], i % 16 == 15 ? "\n" : " ");
	fputc('\n', out);
}

/* Attributes: reading */

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_len(const struct nlattr *attr)
{
	return attr->nla_len;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return attr->nla_len - MNL_ATTR_HDRLEN;
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return (char *)attr + MNL_ATTR_HDRLEN;
}

uint8_t mnl_attr_get_u8(const struct nlattr *attr)
{
	return *(uint8_t *)mnl_attr_get_payload(attr);
}

uint16_t mnl_attr_get_u16(const struct nlattr *attr)
{
	return *(uint16_t *)mnl_attr_get_payload(attr);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	return *(uint32_t *)mnl_attr_get_payload(attr);
}

/* Attributes are only aligned to 4 bytes. */
uint64_t mnl_attr_get_u64(const struct nlattr *attr)
{
	uint64_t value;

	memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	return value;
}

const char *mnl_attr_get_str(const struct nlattr *attr)
{
	return mnl_attr_get_payload(attr);
}

bool mnl_attr_ok(const struct nlattr *attr, int len)
{
	return len >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
	       (int)attr->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return (struct nlattr *)((char *)attr + MNL_ALIGN(attr->nla_len));
}

int mnl_attr_type_valid(const struct nlattr *attr, uint16_t max)
{
	if (mnl_attr_get_type(attr) <= max)
		return 1;
	errno = EOPNOTSUPP;
	return -1;
}

/* Is the payload as long as the type needs it? */
static bool mnl_attr_fits(const struct nlattr *attr,
			  enum mnl_attr_data_type type)
{
	size_t len = mnl_attr_get_payload_len(attr);
	const char *str = mnl_attr_get_str(attr);

	switch (type) {
	case MNL_TYPE_U8:
		return len == sizeof(uint8_t);
	case MNL_TYPE_U16:
		return len == sizeof(uint16_t);
	case MNL_TYPE_U32:
		return len == sizeof(uint32_t);
	case MNL_TYPE_U64:
	case MNL_TYPE_MSECS:
		return len == sizeof(uint64_t);
	case MNL_TYPE_FLAG:
		return !len;
	case MNL_TYPE_STRING:
		return len;
	case MNL_TYPE_NUL_STRING:
		return len && !str[len - 1];
	case MNL_TYPE_NESTED:
		return !len || len >= MNL_ATTR_HDRLEN;
	default:
		return true;
	}
}

int mnl_attr_validate(const struct nlattr *attr, enum mnl_attr_data_type type)
{
	if (mnl_attr_fits(attr, type))
		return 0;
	errno = ERANGE;
	return -1;
}

int mnl_attr_parse(const struct nlmsghdr *nlh, unsigned int offset,
		   mnl_attr_cb_t cb, void *data)
{
	const struct nlattr *attr;
	int ret = MNL_CB_OK;

	mnl_attr_for_each(attr, nlh, offset) {
		ret = cb(attr, data);
		if (ret <= MNL_CB_STOP)
			return ret;
	}
	return ret;
}

int mnl_attr_parse_nested(const struct nlattr *nested, mnl_attr_cb_t cb,
			  void *data)
{
	const struct nlattr *attr;
	int ret = MNL_CB_OK;

	mnl_attr_for_each_nested(attr, nested) {
		ret = cb(attr, data);
		if (ret <= MNL_CB_STOP)
			return ret;
	}
	return ret;
}

/* Attributes: writing */

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len,
		  const void *data)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(nlh);

	attr->nla_type = type;
	attr->nla_len = MNL_ATTR_HDRLEN + len;
	memset(mnl_attr_get_payload(attr), 0, MNL_ALIGN(len));
	memcpy(mnl_attr_get_payload(attr), data, len);
	nlh->nlmsg_len += MNL_ALIGN(attr->nla_len);
}

static bool mnl_attr_has_room(const struct nlmsghdr *nlh, size_t size,
			      size_t len)
{
	return nlh->nlmsg_len + MNL_ATTR_HDRLEN + MNL_ALIGN(len) <= size;
}

bool mnl_attr_put_check(struct nlmsghdr *nlh, size_t size, uint16_t type,
			size_t len, const void *data)
{
	if (!mnl_attr_has_room(nlh, size, len))
		return false;
	mnl_attr_put(nlh, type, len, data);
	return true;
}

void mnl_attr_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t value)
{
	mnl_attr_put(nlh, type, sizeof(value), &value);
}

void mnl_attr_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t value)
{
	mnl_attr_put(nlh, type, sizeof(value), &value);
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put(nlh, type, sizeof(value), &value);
}

void mnl_attr_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value)
{
	mnl_attr_put(nlh, type, sizeof(value), &value);
}

void mnl_attr_put_strz(struct nlmsghdr *nlh, uint16_t type, const char *value)
{
	mnl_attr_put(nlh, type, strlen(value) + 1, value);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *start = mnl_nlmsg_get_payload_tail(nlh);

	start->nla_type = NLA_F_NESTED | type;
	nlh->nlmsg_len += MNL_ATTR_HDRLEN;
	return start;
}

struct nlattr *mnl_attr_nest_start_check(struct nlmsghdr *nlh, size_t size,
					 uint16_t type)
{
	if (!mnl_attr_has_room(nlh, size, 0))
		return NULL;
	return mnl_attr_nest_start(nlh, type);
}

void mnl_attr_nest_end(struct nlmsghdr *nlh, struct nlattr *start)
{
	start->nla_len = (char *)mnl_nlmsg_get_payload_tail(nlh) -
			 (char *)start;
}

void mnl_attr_nest_cancel(struct nlmsghdr *nlh, struct nlattr *start)
{
	nlh->nlmsg_len -= (char *)mnl_nlmsg_get_payload_tail(nlh) -
			  (char *)start;
}

/* Answers */

static int mnl_cb_error(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err)) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	errno = err->error < 0 ? -err->error : err->error;
	return err->error ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int mnl_cb_control(const struct nlmsghdr *nlh, void *data,
			  const mnl_cb_t *ctl, unsigned int ctls)
{
	if (nlh->nlmsg_type < ctls && ctl[nlh->nlmsg_type])
		return ctl[nlh->nlmsg_type](nlh, data);
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return mnl_cb_error(nlh);
	return nlh->nlmsg_type == NLMSG_DONE ? MNL_CB_STOP : MNL_CB_OK;
}

static bool mnl_cb_is_ours(const struct nlmsghdr *nlh, unsigned int seq,
			   unsigned int portid)
{
	/* Notifications have neither. */
	if (nlh->nlmsg_pid && portid && nlh->nlmsg_pid != portid) {
		errno = ESRCH;
		return false;
	}
	if (nlh->nlmsg_seq && seq && nlh->nlmsg_seq != seq) {
		errno = EPROTO;
		return false;
	}
	return true;
}

int mnl_cb_run2(const void *buf, size_t len, unsigned int seq,
		unsigned int portid, mnl_cb_t cb, void *data,
		const mnl_cb_t *ctl, unsigned int ctls)
{
	const struct nlmsghdr *nlh = buf;
	int left = len, ret = MNL_CB_OK;

	while (mnl_nlmsg_ok(nlh, left)) {
		if (!mnl_cb_is_ours(nlh, seq, portid))
			return MNL_CB_ERROR;
		if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
			ret = mnl_cb_control(nlh, data, ctl, ctls);
		else if (cb)
			ret = cb(nlh, data);
		if (ret <= MNL_CB_STOP)
			return ret;
		nlh = mnl_nlmsg_next(nlh, &left);
	}
	return ret;
}

int mnl_cb_run(const void *buf, size_t len, unsigned int seq,
	       unsigned int portid, mnl_cb_t cb, void *data)
{
	return mnl_cb_run2(buf, len, seq, portid, cb, data, NULL, 0);
}
