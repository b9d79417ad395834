// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failnth N PROGRAM [ARGUMENT...]: runs a program whose N-th allocation fails
 * (CONFIG_FAULT_INJECTION; which allocations count is set in debugfs). Prints
 * "fired" if there was an N-th, and ends with the program's status.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void arm(const char *nth)
{
	int fd = open("/proc/self/fail-nth", O_WRONLY);

	if (fd < 0 || dprintf(fd, "%s", nth) < 1) {
		perror("/proc/self/fail-nth");
		_exit(126);
	}
	close(fd);
}

/* What is left to count, read while the process is a zombie */
static int left(pid_t pid)
{
	char path[64];
	int n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%d", &n) != 1)
		perror(path);
	if (f)
		fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	siginfo_t info;
	int status;
	pid_t pid;

	if (argc < 3)
		return 2;
	pid = fork();
	if (!pid) {
		arm(argv[1]);
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || waitid(P_PID, pid, &info, WEXITED | WNOWAIT))
		return 125;
	if (!left(pid))
		puts("fired");
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 124;
}
