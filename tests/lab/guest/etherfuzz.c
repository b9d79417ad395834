// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers full of nonsense for the ioctl of ethtool.
 *
 *   etherfuzz DEVICE SEED COUNT
 *
 * Most commands are known ones that say themselves how much follows; that is
 * words of which some fit now and then. Prints how many were taken and how many
 * refused.
 */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define COMMANDS	0x5a	/* above the last one that has a number */
#define WORDS		4096	/* behind a command */

/* Those that say themselves how much follows. */
static const uint32_t favourites[] = {
	ETHTOOL_GREGS, ETHTOOL_GSTRINGS, ETHTOOL_GSTATS, ETHTOOL_TEST,
	ETHTOOL_GSSET_INFO, ETHTOOL_GRXFHINDIR, ETHTOOL_SRXFHINDIR,
	ETHTOOL_GRSSH, ETHTOOL_SRSSH, ETHTOOL_SCHANNELS, ETHTOOL_SRINGPARAM,
	ETHTOOL_SCOALESCE, ETHTOOL_GLINKSETTINGS, ETHTOOL_SLINKSETTINGS,
	ETHTOOL_GFEATURES, ETHTOOL_SFEATURES, ETHTOOL_GRXCLSRLALL,
	ETHTOOL_PERQUEUE, ETHTOOL_STUNABLE, ETHTOOL_SPAUSEPARAM,
	ETHTOOL_GEEPROM, ETHTOOL_GMODULEEEPROM, ETHTOOL_SRXCLSRLINS,
};

/* Lengths, numbers and flags that come near what is right. */
static const uint32_t likely[] = {
	0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 32, 127, 128, 255, 256, 511, 1024,
	16383, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
};

#define PICK(list)	((list)[next() % (sizeof(list) / sizeof((list)[0]))])

static uint64_t state;

static uint32_t next(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static void fill(uint32_t *buf)
{
	unsigned int known = 1 + next() % 16, i;

	memset(buf, 0, 4 * (WORDS + 1));
	buf[0] = next() % 4 ? PICK(favourites) : next() % COMMANDS;
	for (i = 1; i <= known; i++)
		buf[i] = next() % 3 ? PICK(likely) : next();
	/* entries of a table, or a mask, that may well be right */
	for (; i < WORDS / 8; i++)
		buf[i] = next() % 4 ? next() % 4 : next();
}

int main(int argc, char **argv)
{
	/* twice what is filled, for what the kernel has to say */
	static uint32_t buf[2 * WORDS];
	unsigned long count, taken = 0, refused = 0;
	struct ifreq ifr = { .ifr_data = (void *)buf };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 4 || fd < 0) {
		fprintf(stderr, "usage: %s DEVICE SEED COUNT\n", argv[0]);
		return 2;
	}
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[1]);
	state = strtoul(argv[2], NULL, 0);
	for (count = strtoul(argv[3], NULL, 0); count; count--) {
		fill(buf);
		if (!ioctl(fd, SIOCETHTOOL, &ifr))
			taken++;
		else
			refused++;
	}
	printf("taken %lu refused %lu\n", taken, refused);
	return 0;
}
