// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the KUnit suites in user space and prints KTAP. */

#include <kunit/test.h>

static struct kunit_suite *kunit_suites;

void kunit_register(struct kunit_suite *suite)
{
	suite->next = kunit_suites;
	kunit_suites = suite;
}

void kunit_fail(struct kunit *test, const char *file, int line,
		const char *what)
{
	printf("        # FAILED at %s:%d: %s\n", file, line, what);
	test->failed = true;
}

void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p = kzalloc(size, gfp);

	if (!p || test->allocs == KUNIT_MAX_ALLOCS)
		abort();
	test->alloc[test->allocs++] = p;

	return p;
}

static bool kunit_run_once(const struct kunit_suite *suite,
			   const struct kunit_case *test_case,
			   const void *param)
{
	struct kunit test = { .param_value = param };

	if (suite->init && suite->init(&test))
		return false;
	if (!setjmp(test.abort))
		test_case->run_case(&test);
	if (suite->exit && !setjmp(test.abort))
		suite->exit(&test);
	while (test.allocs)
		kfree(test.alloc[--test.allocs]);

	return !test.failed;
}

static bool kunit_run_params(const struct kunit_suite *suite,
			     const struct kunit_case *test_case)
{
	char desc[KUNIT_PARAM_DESC_SIZE];
	const void *param = NULL;
	bool ok = true, all = true;
	unsigned int n = 0;

	printf("        KTAP version 1\n        # Subtest: %s\n",
	       test_case->name);
	while ((param = test_case->generate_params(param, desc))) {
		ok = kunit_run_once(suite, test_case, param);
		all = all && ok;
		printf("        %sok %u %s\n", ok ? "" : "not ", ++n, desc);
	}

	return all && n;
}

static bool kunit_run_suite(const struct kunit_suite *suite)
{
	const struct kunit_case *test_case;
	bool all = true, ok;
	unsigned int n = 0;

	printf("    KTAP version 1\n    # Subtest: %s\n", suite->name);
	for (test_case = suite->test_cases; test_case->run_case; test_case++) {
		if (test_case->generate_params)
			ok = kunit_run_params(suite, test_case);
		else
			ok = kunit_run_once(suite, test_case, NULL);
		all = all && ok;
		printf("    %sok %u %s\n", ok ? "" : "not ", ++n,
		       test_case->name);
		fflush(stdout);
	}
	printf("    1..%u\n", n);

	return all && n;
}

int main(void)
{
	const struct kunit_suite *suite;
	bool all = true, ok;
	unsigned int n = 0;

	printf("KTAP version 1\n");
	for (suite = kunit_suites; suite; suite = suite->next) {
		ok = kunit_run_suite(suite);
		all = all && ok;
		printf("%sok %u %s\n", ok ? "" : "not ", ++n, suite->name);
	}
	printf("1..%u\n", n);

	return all && n ? EXIT_SUCCESS : EXIT_FAILURE;
}
