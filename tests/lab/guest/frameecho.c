// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frameecho INTERFACE: sends every frame of EtherType 0x88b5 that arrives on
 * the interface back to its sender, unchanged but for swapped addresses and
 * EtherType 0x88b6. Prints "ready" once it listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define TYPE_REQUEST	0x88b5
#define TYPE_REPLY	0x88b6

int main(int argc, char **argv)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	static unsigned char frame[65536];
	int fd, bytes = 16 << 20;

	if (argc != 2)
		return 2;
	at.sll_ifindex = if_nametoindex(argv[1]);
	at.sll_protocol = htons(TYPE_REQUEST);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (fd < 0 || !at.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct ether_header *eth = (struct ether_header *)frame;
		unsigned char mac[ETH_ALEN];
		ssize_t n = recv(fd, frame, sizeof(frame), 0);

		if (n < (ssize_t)sizeof(*eth))
			continue;
		memcpy(mac, eth->ether_dhost, ETH_ALEN);
		memcpy(eth->ether_dhost, eth->ether_shost, ETH_ALEN);
		memcpy(eth->ether_shost, mac, ETH_ALEN);
		eth->ether_type = htons(TYPE_REPLY);
		if (send(fd, frame, n, 0) != n)
			fprintf(stderr, "send of %zd bytes: %s\n", n,
				strerror(errno));
	}
}
