// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Host side of the loss measurements: sends numbered frames at a constant rate
 * into QEMU's "stream" network sockets and counts what comes back, so that both
 * the sender and the judge are outside the guest.
 *
 *   traffic --flow TXFD RXFD MAGIC RATE WINDOW HEXFRAME OFFSET [--flow ...]
 *
 * TXFD -1: the sender is elsewhere, frames are only received; numbers must
 * start at 0. HEXFRAME is the frame to send; at OFFSET it gets, big-endian,
 * u32 magic, u32 0, u64 number, u64 nanoseconds. Received frames are found by
 * the magic at OFFSET. With a WINDOW no more than so many frames are under way:
 * a guest that is too slow for the rate is not drowned. 0: no limit.
 *
 * Standard input: "stretch NAME" opens a new stretch of accounting (a frame
 * belongs to the stretch in which it was sent; without a sender: received) and
 * answers with the number of frames sent before it;
 * "stop" ends the sending, waits for stragglers and prints one JSON object.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FLOWS	8
#define MAX_STRETCHES	4096
#define MAX_FRAME	65536
#define MAX_NUMBERS	(64u << 20)
#define BIN_NS		10000000ull
#define STUCK_NS	1000000000ull	/* all under way are lost: send on */
#define DUPS_NS		100000000ull	/* all came: time for duplicates */
#define QUIET_NS	3000000000ull	/* silence after which no more come */

struct stamp {
	uint32_t magic, zero;
	uint64_t number, ns;
};

struct stretch {
	char name[32];
	uint64_t begin_ns;
};

struct flow {
	int tx, rx;
	uint32_t magic;
	double rate;
	unsigned char frame[MAX_FRAME];
	size_t len, offset;
	uint64_t window, sent, due_ns, late_max_ns, progress_ns;
	uint64_t first[MAX_STRETCHES];	/* first number of each stretch */
	/* nanoseconds after the start at which each number came; 0: never */
	uint64_t *seen, seen_size, received, dup, reordered, top;
};

struct port {
	int fd;
	unsigned char buf[4 + MAX_FRAME];
	size_t have;
};

static struct flow flows[MAX_FLOWS];
static struct port ports[MAX_FLOWS];
static struct stretch stretches[MAX_STRETCHES];
static int n_flows, n_ports, n_stretches;
static uint64_t start;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void parse_flow(char **arg)
{
	struct flow *f = &flows[n_flows++];
	const char *hex = arg[5];

	f->tx = atoi(arg[0]);
	f->rx = atoi(arg[1]);
	f->magic = strtoul(arg[2], NULL, 0);
	f->rate = atof(arg[3]);
	f->window = atoi(arg[4]);
	f->offset = atoi(arg[6]);
	f->len = strlen(hex) / 2;
	if (f->len > MAX_FRAME ||
	    (f->tx >= 0 && f->len < f->offset + sizeof(struct stamp))) {
		fputs("traffic: bad frame\n", stderr);
		exit(2);
	}
	for (size_t i = 0; i < f->len; i++)
		sscanf(hex + 2 * i, "%2hhx", &f->frame[i]);
	for (int i = 0; i < n_ports; i++)
		if (ports[i].fd == f->rx)
			return;
	if (f->rx >= 0)
		ports[n_ports++].fd = f->rx;
}

static void new_stretch(const char *name)
{
	struct stretch *s = &stretches[n_stretches];

	if (n_stretches == MAX_STRETCHES) {
		fputs("traffic: too many stretches\n", stderr);
		exit(2);
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->begin_ns = now() - start;
	for (int i = 0; i < n_flows; i++)
		flows[i].first[n_stretches] =
			flows[i].tx >= 0 ? flows[i].sent : flows[i].top;
	n_stretches++;
}

static void send_frame(struct flow *f)
{
	struct stamp s = { htobe32(f->magic), 0, htobe64(f->sent),
			   htobe64(now()) };
	unsigned char buf[4 + MAX_FRAME];
	uint32_t len = htobe32(f->len);
	size_t done = 0, total = 4 + f->len;

	memcpy(f->frame + f->offset, &s, sizeof(s));
	memcpy(buf, &len, 4);
	memcpy(buf + 4, f->frame, f->len);
	while (done < total) {
		ssize_t n = send(f->tx, buf + done, total - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("traffic: send");
		if (n > 0)
			done += n;
	}
	f->sent++;
}

static int is_window_full(struct flow *f, uint64_t t)
{
	return f->window && f->sent - f->top >= f->window &&
	       t - f->progress_ns < STUCK_NS;
}

/* Sends a frame that is due and returns when the next one will be. */
static uint64_t send_if_due(struct flow *f, uint64_t t)
{
	uint64_t period = 1e9 / f->rate;

	if (f->due_ns > t)
		return f->due_ns;
	if (is_window_full(f, t)) {
		f->due_ns = t;		/* nothing to be made up for */
		return t + period;
	}
	if (t - f->due_ns > f->late_max_ns)
		f->late_max_ns = t - f->due_ns;
	send_frame(f);
	f->due_ns += period;
	return f->due_ns;
}

/* Sends what is due and returns when the next frame will be. */
static uint64_t send_due(void)
{
	uint64_t next = ~0ull;

	for (int i = 0; i < n_flows; i++) {
		struct flow *f = &flows[i];
		uint64_t due;

		if (f->tx < 0 || f->rate <= 0)
			continue;
		due = send_if_due(f, now());
		if (due < next)
			next = due;
	}
	return next;
}

static void note(struct flow *f, uint64_t number)
{
	if (number >= MAX_NUMBERS)
		return;
	if (number >= f->seen_size) {
		uint64_t size = (number + 1) * 2 + 65536;

		f->seen = realloc(f->seen, size * 8);
		if (!f->seen)
			die("traffic");
		memset(f->seen + f->seen_size, 0, (size - f->seen_size) * 8);
		f->seen_size = size;
	}
	if (f->seen[number]) {
		f->dup++;
		return;
	}
	f->progress_ns = now();
	f->seen[number] = f->progress_ns - start + 1;
	f->received++;
	if (number < f->top)
		f->reordered++;
	else
		f->top = number + 1;
}

static void receive_frame(struct port *p, const unsigned char *frame,
			  size_t len)
{
	for (int i = 0; i < n_flows; i++) {
		struct flow *f = &flows[i];
		struct stamp s;

		if (f->rx != p->fd || len < f->offset + sizeof(s))
			continue;
		memcpy(&s, frame + f->offset, sizeof(s));
		if (be32toh(s.magic) == f->magic) {
			note(f, be64toh(s.number));
			return;
		}
	}
}

static void receive(struct port *p)
{
	ssize_t n = recv(p->fd, p->buf + p->have, sizeof(p->buf) - p->have,
			 MSG_DONTWAIT);
	size_t at = 0;

	if (!n) {
		fputs("traffic: the virtual machine closed the port\n", stderr);
		exit(1);
	}
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		die("traffic: recv");
	}
	p->have += n;
	while (p->have - at >= 4) {
		uint32_t len;

		memcpy(&len, p->buf + at, 4);
		len = be32toh(len);
		if (len > MAX_FRAME)
			exit(3);
		if (p->have - at < 4 + len)
			break;
		receive_frame(p, p->buf + at + 4, len);
		at += 4 + len;
	}
	memmove(p->buf, p->buf + at, p->have - at);
	p->have -= at;
}

static uint64_t sent(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < n_flows; i++)
		sum += flows[i].sent;
	return sum;
}

/* Returns 0 when it is time to stop. */
static int command(void)
{
	static char buf[4096];
	static size_t used;
	ssize_t n = read(0, buf + used, sizeof(buf) - 1 - used);
	char *end;

	if (n <= 0)
		return 0;
	used += n;
	while ((end = memchr(buf, '\n', used))) {
		size_t len = end - buf + 1;

		*end = 0;
		if (!strcmp(buf, "stop"))
			return 0;
		if (!strncmp(buf, "stretch ", 8)) {
			new_stretch(buf + 8);
			printf("ok %llu\n", (unsigned long long)sent());
			fflush(stdout);
		}
		used -= len;
		memmove(buf, buf + len, used);
	}
	return 1;
}

static uint64_t received(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < n_flows; i++)
		sum += flows[i].received;
	return sum;
}

/* How long no frame must have come at the end. */
static uint64_t patience(void)
{
	for (int i = 0; i < n_flows; i++)
		if (flows[i].tx < 0 || flows[i].received < flows[i].sent)
			return QUIET_NS;
	return DUPS_NS;
}

static void run(void)
{
	struct pollfd p[MAX_FLOWS + 1] = { { .fd = 0, .events = POLLIN } };
	uint64_t quiet_from = 0, before = 0;
	int sending = 1;

	for (int i = 0; i < n_ports; i++)
		p[i + 1] = (struct pollfd){ ports[i].fd, POLLIN, 0 };
	for (;;) {
		uint64_t next = sending ? send_due() : now() + 10000000;
		uint64_t t = now();
		struct timespec wait = { 0, 0 };

		if (!sending && received() != before) {
			before = received();
			quiet_from = t;
		}
		if (!sending && t - quiet_from > patience())
			return;
		if (next == ~0ull)
			next = t + 10000000;
		if (next > t) {
			wait.tv_sec = (next - t) / 1000000000;
			wait.tv_nsec = (next - t) % 1000000000;
		}
		p[0].fd = sending ? 0 : -1;
		if (ppoll(p, n_ports + 1, &wait, NULL) < 0)
			continue;
		for (int i = 0; i < n_ports; i++)
			if (p[i + 1].revents)
				receive(&ports[i]);
		if (sending && p[0].revents && !command()) {
			sending = 0;
			quiet_from = now();
			before = received();
		}
	}
}

static void print_stretch(struct flow *f, int s, uint64_t end_ns)
{
	uint64_t from = f->first[s];
	uint64_t last = f->tx >= 0 ? f->sent : f->top;
	uint64_t to = s + 1 < n_stretches ? f->first[s + 1] : last;
	uint64_t lost = 0, run = 0, longest = 0, gap = 0, gap_at = 0, prev = 0;

	for (uint64_t n = from; n < to; n++) {
		uint64_t t = n < f->seen_size ? f->seen[n] : 0;

		if (!t) {
			lost++;
			if (++run > longest)
				longest = run;
			continue;
		}
		run = 0;
		if (prev && t > prev && t - prev > gap) {
			gap = t - prev;
			gap_at = prev;
		}
		if (t > prev)
			prev = t;
	}
	printf("{\"name\":\"%s\",\"begin_ms\":%.3f,\"end_ms\":%.3f,"
	       "\"sent\":%llu,"
	       "\"lost\":%llu,\"longest_loss\":%llu,\"gap_ms\":%.3f,"
	       "\"gap_at_ms\":%.3f}", stretches[s].name,
	       stretches[s].begin_ns / 1e6, end_ns / 1e6,
	       (unsigned long long)(to - from), (unsigned long long)lost,
	       (unsigned long long)longest, gap / 1e6, gap_at / 1e6);
}

static void print_bins(struct flow *f, uint64_t end_ns)
{
	uint64_t bins = end_ns / BIN_NS + 1;
	uint32_t *count = calloc(bins, sizeof(*count));

	if (!count)
		die("traffic");
	for (uint64_t n = 0; n < f->top && n < f->seen_size; n++)
		if (f->seen[n] && f->seen[n] / BIN_NS < bins)
			count[f->seen[n] / BIN_NS]++;
	printf("\"bins\":[");
	for (uint64_t b = 0; b < bins; b++)
		printf("%s%u", b ? "," : "", count[b]);
	printf("]");
	free(count);
}

static void print_flow(struct flow *f, uint64_t end_ns)
{
	printf("{\"magic\":%u,\"sent\":%llu,\"received\":%llu,"
	       "\"duplicates\":%llu,"
	       "\"reordered\":%llu,\"send_late_ms\":%.3f,\"stretches\":[",
	       f->magic, (unsigned long long)(f->tx >= 0 ? f->sent : f->top),
	       (unsigned long long)f->received, (unsigned long long)f->dup,
	       (unsigned long long)f->reordered, f->late_max_ns / 1e6);
	for (int s = 0; s < n_stretches; s++) {
		uint64_t end = s + 1 < n_stretches ?
			       stretches[s + 1].begin_ns : end_ns;

		printf("%s", s ? "," : "");
		print_stretch(f, s, end);
	}
	printf("],");
	print_bins(f, end_ns);
	printf("}");
}

int main(int argc, char **argv)
{
	uint64_t end_ns;

	for (int i = 1; i < argc; i += 8) {
		if (strcmp(argv[i], "--flow") || i + 7 >= argc ||
		    n_flows == MAX_FLOWS) {
			fputs("usage: traffic --flow TXFD RXFD MAGIC RATE "
			      "WINDOW HEX OFFSET\n", stderr);
			return 2;
		}
		parse_flow(argv + i + 1);
	}
	start = now();
	for (int i = 0; i < n_flows; i++) {
		flows[i].due_ns = start;
		flows[i].progress_ns = start;
	}
	new_stretch("start");
	run();
	end_ns = now() - start;
	printf("{\"bin_ms\":%llu,\"flows\":[", BIN_NS / 1000000);
	for (int i = 0; i < n_flows; i++) {
		printf("%s", i ? "," : "");
		print_flow(&flows[i], end_ns);
	}
	puts("]}");
	return 0;
}
