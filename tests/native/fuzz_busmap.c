// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random changes to a busmap for some seconds, against the model.
 *
 *	fuzz_busmap [--seconds N] [--seed N [--steps N]]
 *
 * Without a seed each run takes another one and prints it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kunit/ehea_busmap_model.h"
#include "../kunit/ehea_test_alloc.h"

/* After that many steps a new map is begun, with the next seed. */
#define FUZZ_STEPS	500

struct fuzz {
	unsigned long long seconds;
	unsigned long long seed;
	unsigned long long steps;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static unsigned long long fresh_seed(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (unsigned long long)t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static const char *fuzz_one(u64 seed, u64 steps, u64 *step)
{
	static struct ehea_model model;
	const char *wrong;

	ehea_test_alloc_reset();
	wrong = ehea_model_init(&model, seed);
	for (*step = 0; *step < steps && !wrong; ++*step) {
		wrong = ehea_model_step(&model);
		if (!wrong)
			wrong = ehea_model_check(&model);
	}
	ehea_model_exit(&model);
	if (!wrong && ehea_test_alloc_live())
		wrong = "memory leaks";

	return wrong;
}

static int fuzz(const struct fuzz *todo)
{
	double end = now() + todo->seconds;
	unsigned long long seed = todo->seed, total = 0;
	const char *wrong;
	u64 step;

	printf("seed %llu\n", seed);
	fflush(stdout);
	do {
		wrong = fuzz_one(seed, todo->steps, &step);
		total += step;
		if (wrong) {
			printf("step %llu: %s\n", (unsigned long long)step,
			       wrong);
			printf("repeat: --seconds 0 --seed %llu --steps %llu\n",
			       seed, (unsigned long long)step);
			return EXIT_FAILURE;
		}
		seed++;
	} while (now() < end);
	printf("%llu steps, no difference\n", total);

	return EXIT_SUCCESS;
}

static int print_usage(void)
{
	fprintf(stderr,
		"usage: fuzz_busmap [--seconds N] [--seed N [--steps N]]\n");
	return 2;
}

static int option(struct fuzz *todo, const char *name, const char *value)
{
	unsigned long long *number = NULL;
	char *end;

	if (!strcmp(name, "--seconds"))
		number = &todo->seconds;
	else if (!strcmp(name, "--seed"))
		number = &todo->seed;
	else if (!strcmp(name, "--steps"))
		number = &todo->steps;
	if (!number || !value)
		return -EINVAL;

	*number = strtoull(value, &end, 0);
	return *end || end == value ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	struct fuzz todo = {
		.seconds = 5,
		.seed = fresh_seed(),
		.steps = FUZZ_STEPS,
	};
	int i;

	for (i = 1; i < argc; i += 2) {
		if (option(&todo, argv[i], argv[i + 1]))
			return print_usage();
	}

	return fuzz(&todo);
}
