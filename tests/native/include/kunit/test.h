/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User-space stand-in for KUnit: enough of it to run the suites of
 * tests/kunit, with the same output (KTAP) and one process for all suites.
 */
#ifndef _NATIVE_KUNIT_TEST_H
#define _NATIVE_KUNIT_TEST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/types.h>

#define KUNIT_PARAM_DESC_SIZE	128
#define KUNIT_MAX_ALLOCS	16

struct kunit {
	void *priv;
	const void *param_value;
	bool failed;
	unsigned int allocs;
	void *alloc[KUNIT_MAX_ALLOCS];
	jmp_buf abort;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	char name[256];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

void kunit_register(struct kunit_suite *suite);
void kunit_fail(struct kunit *test, const char *file, int line,
		const char *what);
void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp);

#define KUNIT_CASE(test_name) \
	{ .run_case = test_name, .name = #test_name }

#define KUNIT_CASE_PARAM(test_name, gen_params) \
	{ .run_case = test_name, .name = #test_name, \
	  .generate_params = gen_params }

#define KUNIT_ARRAY_PARAM(name, array, get_desc) \
	static const void *name##_gen_params(const void *prev, char *desc) \
	{ \
		const __typeof__((array)[0])(*next) = prev; \
		\
		next = next ? next + 1 : (array); \
		if (next == (array) + ARRAY_SIZE(array)) \
			return NULL; \
		get_desc(next, desc); \
		return next; \
	}

#define kunit_test_suite(suite) \
	static void __attribute__((constructor)) register_##suite(void) \
	{ \
		kunit_register(&(suite)); \
	}

#define KUNIT_CHECK(test, condition, text, abort_case) \
do { \
	if (!(condition)) { \
		kunit_fail(test, __FILE__, __LINE__, text); \
		if (abort_case) \
			longjmp((test)->abort, 1); \
	} \
} while (0)

/* Both values are shown in hexadecimal, so they are cast for printing only. */
#define KUNIT_COMPARE(test, left, op, right, abort_case) \
do { \
	__auto_type left_value = (left); \
	__auto_type right_value = (right); \
	char text[512]; \
	\
	snprintf(text, sizeof(text), "%s %s %s: %#llx, %#llx", #left, #op, \
		 #right, (unsigned long long)left_value, \
		 (unsigned long long)right_value); \
	KUNIT_CHECK(test, left_value op right_value, text, abort_case); \
} while (0)

#define KUNIT_EXPECT_EQ(test, l, r)	KUNIT_COMPARE(test, l, ==, r, 0)
#define KUNIT_EXPECT_NE(test, l, r)	KUNIT_COMPARE(test, l, !=, r, 0)
#define KUNIT_EXPECT_LT(test, l, r)	KUNIT_COMPARE(test, l, <, r, 0)
#define KUNIT_EXPECT_LE(test, l, r)	KUNIT_COMPARE(test, l, <=, r, 0)
#define KUNIT_EXPECT_GT(test, l, r)	KUNIT_COMPARE(test, l, >, r, 0)
#define KUNIT_EXPECT_GE(test, l, r)	KUNIT_COMPARE(test, l, >=, r, 0)
#define KUNIT_ASSERT_EQ(test, l, r)	KUNIT_COMPARE(test, l, ==, r, 1)
#define KUNIT_ASSERT_NE(test, l, r)	KUNIT_COMPARE(test, l, !=, r, 1)

#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_CHECK(test, c, #c, 0)
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_CHECK(test, !(c), "!" #c, 0)
#define KUNIT_ASSERT_TRUE(test, c)	KUNIT_CHECK(test, c, #c, 1)
#define KUNIT_ASSERT_FALSE(test, c)	KUNIT_CHECK(test, !(c), "!" #c, 1)

#define KUNIT_EXPECT_PTR_EQ(test, l, r) \
	KUNIT_CHECK(test, (l) == (r), #l " == " #r, 0)
#define KUNIT_EXPECT_NULL(test, p) \
	KUNIT_CHECK(test, !(p), #p " is NULL", 0)
#define KUNIT_ASSERT_NULL(test, p) \
	KUNIT_CHECK(test, !(p), #p " is NULL", 1)
#define KUNIT_EXPECT_NOT_NULL(test, p) \
	KUNIT_CHECK(test, p, #p " is not NULL", 0)
#define KUNIT_ASSERT_NOT_NULL(test, p) \
	KUNIT_CHECK(test, p, #p " is not NULL", 1)

#define KUNIT_EXPECT_NULL_MSG(test, p, ...) \
do { \
	char text[512]; \
	\
	if (p) { \
		snprintf(text, sizeof(text), __VA_ARGS__); \
		KUNIT_CHECK(test, 0, text, 0); \
	} \
} while (0)

#endif /* _NATIVE_KUNIT_TEST_H */
