// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * File transfers over TCP, with contents that the receiver can check. Addresses
 * are those of IPv4 or IPv6.
 *
 *   tcpfile make PATH BYTES             a file of numbered 8-byte words
 *   tcpfile send PATH ADDRESS PORT SECONDS
 *                                       sendfile() it, again and again until
 *                                       the time is over (0: once)
 *   tcpfile pieces ADDRESS PORT COUNT   the same contents from COUNT pieces of
 *                                       memory, none next to another
 *   tcpfile check PORT                  receive such files; SIGTERM: report
 *   tcpfile recv PORT                   one connection to standard output
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static uint64_t word(uint64_t n)
{
	return htobe64(n * 0x9e3779b97f4a7c15ull + n);
}

static int make(const char *path, uint64_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	static uint64_t buf[8192];

	if (fd < 0)
		return fail(path);
	for (uint64_t n = 0; n * 8 < bytes; n += 8192) {
		for (int i = 0; i < 8192; i++)
			buf[i] = word(n + i);
		if (write(fd, buf, sizeof(buf)) != sizeof(buf))
			return fail(path);
	}
	return close(fd) ? fail(path) : 0;
}

/* IPv4 is a part of IPv6 to a socket, and becomes IPv4 on the wire. */
static int dial(const char *address, const char *port)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = htons(atoi(port)) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	char text[64];

	snprintf(text, sizeof(text), "%s%s", strchr(address, ':') ? "" :
		 "::ffff:", address);
	if (inet_pton(AF_INET6, text, &to.sin6_addr) != 1 ||
	    connect(fd, (void *)&to, sizeof(to))) {
		perror("connect");
		exit(1);
	}
	return fd;
}

static void hang_up(int fd)
{
	char end;

	shutdown(fd, SHUT_WR);
	/* wait for the receiver's close: all has arrived */
	while (read(fd, &end, 1) > 0)
		;
	close(fd);
}

static int send_once(int file, off_t size, char **to)
{
	int fd = dial(to[0], to[1]);
	off_t at = 0;

	while (at < size && !stop)
		if (sendfile(fd, file, &at, size - at) < 0 && errno != EINTR)
			return fail("sendfile");
	hang_up(fd);
	return 0;
}

static int send_files(char **arg)
{
	int file = open(arg[0], O_RDONLY);
	double seconds = atof(arg[3]), end = now() + seconds;
	unsigned long times = 0;
	struct stat st;

	if (file < 0 || fstat(file, &st))
		return fail(arg[0]);
	do {
		if (send_once(file, st.st_size, arg + 1))
			return 1;
		times++;
	} while (!stop && now() < end);
	printf("sent %lu files of %lld bytes\n", times, (long long)st.st_size);
	return 0;
}

/* Words of a piece, and how far the next one is. */
#define PIECE	12
#define STRIDE	16
/* Pieces that a pipe holds. */
#define PIPE	16

/* Put pieces into the socket as they are, without a copy. */
static int send_some(int fd, const int *pipe, struct iovec *iov, int count)
{
	ssize_t left = count * PIECE * 8;

	if (vmsplice(pipe[1], iov, count, 0) != left)
		return fail("vmsplice");
	while (left > 0) {
		ssize_t n = splice(pipe[0], NULL, fd, NULL, left,
				   SPLICE_F_MORE);

		if (n <= 0)
			return fail("splice");
		left -= n;
	}
	return 0;
}

static int send_pieces(char **arg)
{
	long count = atol(arg[2]) / PIPE * PIPE, n = 0;
	/* no piece is in two pages, for it would be two to the pipe */
	uint64_t (*store)[STRIDE] = aligned_alloc(sizeof(*store),
						  count * sizeof(*store));
	int fd = dial(arg[0], arg[1]), ends[2];
	struct iovec iov[PIPE];

	if (!store || pipe(ends))
		return fail("pipe");
	for (long i = 0; i < count * PIECE; i++)
		store[i / PIECE][i % PIECE] = word(i);
	while (n < count) {
		for (int i = 0; i < PIPE; i++)
			iov[i] = (struct iovec){ store[n++], PIECE * 8 };
		if (send_some(fd, ends, iov, PIPE))
			return 1;
	}
	hang_up(fd);
	return 0;
}

static int serve(int port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&at, sizeof(at)) || listen(fd, 16)) {
		perror("tcpfile");
		exit(1);
	}
	return fd;
}

/* Returns the number of bytes received, and in *bad that of wrong words. */
static uint64_t check_one(int fd, uint64_t *bad)
{
	static unsigned char buf[1 << 18];
	uint64_t total = 0, first = 0;
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, buf + have, sizeof(buf) - have)) > 0) {
		size_t i;

		have += n;
		total += n;
		for (i = 0; i + 8 <= have; i += 8) {
			uint64_t want = word(first++);

			if (memcmp(buf + i, &want, 8))
				++*bad;
		}
		memmove(buf, buf + i, have - i);
		have -= i;
	}
	return total;
}

static int check(int port)
{
	uint64_t bytes = 0, bad = 0, files = 0;
	int fd = serve(port);

	puts("ready");
	fflush(stdout);
	while (!stop) {
		int from = accept(fd, NULL, NULL);

		if (from < 0)
			continue;
		bytes += check_one(from, &bad);
		files++;
		close(from);
	}
	printf("files %llu bytes %llu bad %llu\n", (unsigned long long)files,
	       (unsigned long long)bytes, (unsigned long long)bad);
	return bad != 0;
}

static int receive(int port)
{
	int fd = serve(port), from;
	static char buf[1 << 16];
	ssize_t n;

	fputs("ready\n", stderr);
	from = accept(fd, NULL, NULL);
	if (from < 0)
		return fail("accept");
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(1, buf, n) != n)
			return fail("write");
	return n < 0 ? fail("read") : 0;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };

	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && !strcmp(argv[1], "make"))
		return make(argv[2], strtoull(argv[3], NULL, 0));
	if (argc == 6 && !strcmp(argv[1], "send"))
		return send_files(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "pieces"))
		return send_pieces(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "check"))
		return check(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "recv"))
		return receive(atoi(argv[2]));
	fputs("usage: tcpfile make|send|pieces|check|recv ...\n", stderr);
	return 2;
}
