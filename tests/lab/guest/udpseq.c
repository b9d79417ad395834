// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbered UDP traffic at a constant rate.
 *
 *   udpseq send ADDRESS PORT MAGIC RATE SECONDS SIZE
 *   udpseq recv PORT MAGIC
 *   udpseq echo PORT
 *
 * A datagram starts with u32 magic, u32 zero, u64 number, u64 nanoseconds, all
 * big-endian: the format of the host's traffic program. "recv" and "send" print
 * what they counted when they end, "recv" on SIGTERM.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct stamp {
	uint32_t magic, zero;
	uint64_t number, ns;
};

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int udp_socket(const char *address, int port, int server)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = 16 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	if (address)
		inet_pton(AF_INET, address, &at.sin_addr);
	if (server ? bind(fd, (void *)&at, sizeof(at)) :
		     connect(fd, (void *)&at, sizeof(at))) {
		perror("udpseq");
		exit(1);
	}
	return fd;
}

static int send_all(char **arg)
{
	int fd = udp_socket(arg[0], atoi(arg[1]), 0);
	uint32_t magic = strtoul(arg[2], NULL, 0);
	double rate = atof(arg[3]), seconds = atof(arg[4]);
	size_t size = strtoul(arg[5], NULL, 0);
	uint64_t sent = 0, failed = 0, start = now();
	static char buf[65536];
	struct stamp *stamp = (struct stamp *)buf;

	if (size < sizeof(*stamp) || size > sizeof(buf))
		return 2;
	while (!stop && (!seconds || now() - start < seconds * 1e9)) {
		stamp->magic = htobe32(magic);
		stamp->number = htobe64(sent);
		stamp->ns = htobe64(now());
		if (send(fd, buf, size, 0) == (ssize_t)size)
			sent++;
		else
			failed++;
		if (rate > 0)
			sleep_until(start + (sent + failed) * 1e9 / rate);
	}
	printf("sent %llu failed %llu seconds %.3f\n", (unsigned long long)sent,
	       (unsigned long long)failed, (now() - start) / 1e9);
	return 0;
}

static int recv_all(char **arg)
{
	int fd = udp_socket(NULL, atoi(arg[0]), 1);
	uint32_t magic = strtoul(arg[1], NULL, 0);
	uint64_t got = 0, lost = 0, late = 0, next = 0, last = 0, gap = 0;
	static char buf[65536];
	struct stamp *stamp = (struct stamp *)buf;

	puts("ready");
	fflush(stdout);
	while (!stop) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);
		uint64_t number, t = now();

		if (n < (ssize_t)sizeof(*stamp) ||
		    be32toh(stamp->magic) != magic)
			continue;
		number = be64toh(stamp->number);
		got++;
		if (number < next) {
			late++;
			continue;
		}
		lost += number - next;
		next = number + 1;
		if (last && t - last > gap)
			gap = t - last;
		last = t;
	}
	printf("received %llu lost %llu late %llu gap_us %llu\n",
	       (unsigned long long)got, (unsigned long long)(lost - late),
	       (unsigned long long)late, (unsigned long long)gap / 1000);
	return 0;
}

static int echo(char **arg)
{
	int fd = udp_socket(NULL, atoi(arg[0]), 1);
	static char buf[65536];

	puts("ready");
	fflush(stdout);
	while (!stop) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from,
				     &len);

		if (n >= 0)
			sendto(fd, buf, n, 0, (void *)&from, len);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };

	sigaction(SIGTERM, &sa, NULL);
	if (argc == 8 && !strcmp(argv[1], "send"))
		return send_all(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "recv"))
		return recv_all(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return echo(argv + 2);
	fputs("usage: udpseq send|recv|echo ...\n", stderr);
	return 2;
}
