// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labinit: the guest's first program. Mounts what every Linux has, and becomes
 * the command agent on the second terminal. With lab.shell on the kernel's
 * command line /lab/shell runs beside it.
 *
 * In C, for each command of a script costs an emulated guest some 20 ms.
 */
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *type, *where;
} mounts[] = {
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "devtmpfs", "/dev" },
	{ "devpts", "/dev/pts" },
	{ "tmpfs", "/tmp" },
	{ "tmpfs", "/run" },
	{ "debugfs", "/sys/kernel/debug" },
};

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
}

static int wants_shell(void)
{
	char line[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	(void)!read(fd, line, sizeof(line) - 1);
	close(fd);
	return !!strstr(line, "lab.shell");
}

int main(int argc, char **argv)
{
	unsigned int i;

	(void)argc;
	(void)argv;
	for (i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		mkdir(mounts[i].where, 0755);
		mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL);
	}
	mkdir("/dev/shm", 0755);
	/* Leaks are looked for at the end of a case, not every now and then. */
	put("/sys/kernel/debug/kmemleak", "scan=off");
	loopback_up();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	(void)!chdir("/root");
	if (wants_shell() && !fork()) {
		execl("/bin/sh", "sh", "/lab/shell", NULL);
		_exit(1);
	}
	execl("/usr/bin/labagent", "labagent", "/dev/hvc1", NULL);
	return 1;
}
