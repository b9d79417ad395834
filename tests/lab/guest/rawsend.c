// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rawsend INTERFACE HEX...: puts frames on the wire as they are given.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static size_t parse(const char *hex, unsigned char *out, size_t room)
{
	size_t n = 0;

	while (n < room && sscanf(hex + 2 * n, "%2hhx", out + n) == 1)
		n++;
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_halen = ETH_ALEN };
	static unsigned char frame[65536];
	int fd = socket(AF_PACKET, SOCK_RAW, 0), i;

	if (argc < 3 || fd < 0)
		return 2;
	to.sll_ifindex = if_nametoindex(argv[1]);
	for (i = 2; i < argc; i++) {
		size_t n = parse(argv[i], frame, sizeof(frame));

		if (sendto(fd, frame, n, 0, (void *)&to, sizeof(to)) !=
		    (ssize_t)n) {
			perror(argv[1]);
			return 1;
		}
	}
	return 0;
}
