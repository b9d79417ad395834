// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Command agent of the lab's guest, normally its first process.
 *
 * Reads requests from a terminal, one per line, and runs any number of shell
 * commands at once; what they print goes back base64-coded, so that kernel
 * messages, binary output and parallel jobs cannot be confused:
 *
 *   run ID BASE64(command)      ->  out ID BASE64(bytes) ..., end ID STATUS
 *   in ID BASE64(bytes)             bytes for the command's standard input
 *   eof ID                          closes the command's standard input
 *   kill ID SIGNAL                  signals the command's process group
 *   ping TEXT                   ->  pong TEXT
 *
 * STATUS is the exit status, or 128 + signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_JOBS	64
#define LINE_SIZE	(256 * 1024)
#define CHUNK		3072

struct job {
	long id;
	pid_t pid;		/* 0: slot is free */
	int in, out;		/* -1: closed */
	int status;		/* -1: still runs */
};

static struct job jobs[MAX_JOBS];
static int tty;

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

static void reply(const char *fmt, ...)
{
	static char line[CHUNK * 2];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	write_all(tty, line, n);
}

static void encode(char *to, const unsigned char *from, size_t len)
{
	for (; len >= 3; len -= 3, from += 3) {
		*to++ = digits[from[0] >> 2];
		*to++ = digits[(from[0] & 3) << 4 | from[1] >> 4];
		*to++ = digits[(from[1] & 15) << 2 | from[2] >> 6];
		*to++ = digits[from[2] & 63];
	}
	if (len) {
		unsigned char second = len > 1 ? from[1] : 0;

		*to++ = digits[from[0] >> 2];
		*to++ = digits[(from[0] & 3) << 4 | second >> 4];
		*to++ = len > 1 ? digits[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	*to = 0;
}

/* Decodes in place and returns the number of bytes. */
static size_t decode(char *text)
{
	unsigned int acc = 0, bits = 0;
	char *to = text;

	for (const char *p = text; *p && *p != '='; p++) {
		const char *d = strchr(digits, *p);

		if (!d)
			continue;
		acc = acc << 6 | (unsigned int)(d - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*to++ = acc >> bits;
		}
	}
	*to = 0;
	return to - text;
}

static struct job *job_of(long id)
{
	for (int i = 0; i < MAX_JOBS; i++)
		if (jobs[i].pid && jobs[i].id == id)
			return &jobs[i];
	return NULL;
}

static void child(const char *command, int in, int out)
{
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static void run(long id, const char *command)
{
	struct job *job = NULL;
	int in[2], out[2];

	for (int i = 0; i < MAX_JOBS && !job; i++)
		if (!jobs[i].pid)
			job = &jobs[i];
	if (!job || pipe2(in, O_CLOEXEC)) {
		reply("end %ld 126", id);
		return;
	}
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		reply("end %ld 126", id);
		return;
	}
	job->id = id;
	job->in = in[1];
	job->out = out[0];
	job->status = -1;
	job->pid = fork();
	if (!job->pid)
		child(command, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (job->pid < 0) {
		job->pid = 0;
		close(job->in);
		close(job->out);
		reply("end %ld 126", id);
	}
}

static void request(char *line)
{
	char *arg, *rest;
	struct job *job;
	long id;

	if (!strncmp(line, "ping ", 5)) {
		reply("pong %s", line + 5);
		return;
	}
	arg = strchr(line, ' ');
	if (!arg)
		return;
	*arg++ = 0;
	id = strtol(arg, &rest, 10);
	if (*rest == ' ')
		rest++;
	if (!strcmp(line, "run")) {
		decode(rest);
		run(id, rest);
		return;
	}
	job = job_of(id);
	if (!job)
		return;
	if (!strcmp(line, "kill")) {
		kill(-job->pid, atoi(rest));
	} else if (!strcmp(line, "in") && job->in >= 0) {
		write_all(job->in, rest, decode(rest));
	} else if (!strcmp(line, "eof") && job->in >= 0) {
		close(job->in);
		job->in = -1;
	}
}

static void read_requests(void)
{
	static char buf[LINE_SIZE];
	static size_t used;
	ssize_t n;
	char *end;

	n = read(tty, buf + used, sizeof(buf) - used);
	if (n <= 0)
		return;
	used += n;
	while ((end = memchr(buf, '\n', used))) {
		size_t len = end - buf + 1;

		*end = 0;
		request(buf);
		used -= len;
		memmove(buf, buf + len, used);
	}
	if (used == sizeof(buf))
		used = 0;
}

static void finish(struct job *job)
{
	if (job->status < 0 || job->out >= 0)
		return;
	if (job->in >= 0)
		close(job->in);
	reply("end %ld %d", job->id, job->status);
	job->pid = 0;
}

static void read_output(struct job *job)
{
	static unsigned char buf[CHUNK];
	static char text[CHUNK * 2];
	ssize_t n = read(job->out, buf, sizeof(buf));

	if (n > 0) {
		encode(text, buf, n);
		reply("out %ld %s", job->id, text);
		return;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	close(job->out);
	job->out = -1;
	finish(job);
}

/*
 * A command is over when its shell is; what it left in the background may
 * keep the pipe open for ever, so drain what is there and close.
 */
static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < MAX_JOBS; i++) {
			struct job *job = &jobs[i];
			struct pollfd p = { .fd = job->out, .events = POLLIN };

			if (job->pid != pid)
				continue;
			job->status = WIFEXITED(status) ? WEXITSTATUS(status) :
				      128 + WTERMSIG(status);
			while (job->out >= 0 && poll(&p, 1, 0) > 0 && job->pid)
				read_output(job);
			if (job->pid && job->out >= 0) {
				close(job->out);
				job->out = -1;
			}
			if (job->pid)
				finish(job);
		}
	}
}

static int open_tty(const char *name)
{
	struct termios t;
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return fd;
	if (!tcgetattr(fd, &t)) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
	return fd;
}

static int child_pipe[2];

static void on_child(int sig)
{
	(void)sig;
	(void)!write(child_pipe[1], "", 1);
}

int main(int argc, char **argv)
{
	struct sigaction sa = {
		.sa_handler = on_child,
		.sa_flags = SA_RESTART,
	};
	char token[64];

	if (argc != 2 || pipe2(child_pipe, O_CLOEXEC | O_NONBLOCK))
		return 2;
	tty = open_tty(argv[1]);
	if (tty < 0) {
		perror(argv[1]);
		return 1;
	}
	sigaction(SIGCHLD, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	reply("hello %d", (int)getpid());

	for (;;) {
		struct pollfd p[MAX_JOBS + 2];
		struct job *of[MAX_JOBS + 2];
		int n = 2;

		p[0] = (struct pollfd){ .fd = tty, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = child_pipe[0], .events = POLLIN };
		for (int i = 0; i < MAX_JOBS; i++)
			if (jobs[i].pid && jobs[i].out >= 0) {
				of[n] = &jobs[i];
				p[n].fd = jobs[i].out;
				p[n++].events = POLLIN;
			}
		if (poll(p, n, -1) < 0)
			continue;
		for (int i = 2; i < n; i++)
			if (p[i].revents && of[i]->out == p[i].fd)
				read_output(of[i]);
		if (p[1].revents) {
			while (read(child_pipe[0], token, sizeof(token)) > 0)
				;
			reap();
		}
		if (p[0].revents)
			read_requests();
	}
}
