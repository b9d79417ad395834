// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * window COMMAND ...: runs a command between the two marks that the plugin
 * tests/bench/profile.c looks for. They do nothing anywhere else.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status = 0;
	pid_t pid;

	if (argc < 2)
		return 2;
	asm volatile("or 25,25,25" ::: "memory");
	pid = fork();
	if (!pid) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("window");
		return 1;
	}
	asm volatile("or 26,26,26" ::: "memory");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
