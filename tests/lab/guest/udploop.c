// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A counted number of UDP datagrams, with as little work around them as can be.
 *
 *   udploop send ADDRESS PORT COUNT SIZE
 *   udploop recv PORT COUNT		prints "ready", later "received N"
 *   udploop rr ADDRESS PORT COUNT SIZE	prints "ns N" per round trip; the
 *					other end is "udpseq echo PORT"
 *
 * "recv" ends after COUNT datagrams, or when no other came for two seconds.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static char buf[65536];

static int udp_socket(const char *address, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 64 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (address)
		inet_pton(AF_INET, address, &at.sin_addr);
	if (address ? connect(fd, (void *)&at, sizeof(at)) :
		      bind(fd, (void *)&at, sizeof(at))) {
		perror("udploop");
		exit(1);
	}
	return fd;
}

/* Wait for two seconds at most from now on. */
static void lose_patience(int fd)
{
	struct timeval patience = { .tv_sec = 2 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static int send_all(char **arg)
{
	int fd = udp_socket(arg[0], atoi(arg[1]));
	long count = atol(arg[2]), size = atol(arg[3]);

	while (count > 0)
		if (send(fd, buf, size, 0) == size)
			count--;
	return 0;
}

static int recv_all(char **arg)
{
	int fd = udp_socket(NULL, atoi(arg[0]));
	long count = atol(arg[1]), got = 0;

	puts("ready");
	fflush(stdout);
	while (got < count && recv(fd, buf, sizeof(buf), 0) >= 0) {
		if (!got++)
			lose_patience(fd);
	}
	printf("received %ld\n", got);
	return 0;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int round_trips(char **arg)
{
	int fd = udp_socket(arg[0], atoi(arg[1]));
	long count = atol(arg[2]), size = atol(arg[3]);
	double start = seconds();

	lose_patience(fd);
	for (long n = 0; n < count; n++) {
		if (send(fd, buf, size, 0) != size ||
		    recv(fd, buf, sizeof(buf), 0) != size) {
			perror("udploop: no answer");
			return 1;
		}
	}
	printf("ns %.0f\n", (seconds() - start) * 1e9 / count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "send"))
		return send_all(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "recv"))
		return recv_all(argv + 2);
	if (argc == 6 && !strcmp(argv[1], "rr"))
		return round_trips(argv + 2);
	fputs("usage: udploop send|recv|rr ...\n", stderr);
	return 2;
}
