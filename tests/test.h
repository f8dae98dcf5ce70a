// SPDX-License-Identifier: LGPL-2.1-or-later
// A test program: TEST(name) { REQUIRE(...); } ... then TEST_MAIN.
// Output is TAP, which meson reads; a failing REQUIRE ends its test. SKIP(why) ends it as skipped.
// Arguments: NAME... runs these tests alone, -NAME... runs all but these.
#ifndef EBB_TEST_H
#define EBB_TEST_H

#include "larger.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
    int named; // among the arguments
};
static struct test *test_first, **test_last = &test_first;
static jmp_buf test_exit;

static inline void test_add(struct test *t)
{
    *test_last = t;
    test_last = &t->next;
}

#define TEST(id)                                                                                             \
    static void test_##id(void);                                                                             \
    __attribute__((constructor)) static void add_##id(void)                                                  \
    {                                                                                                        \
        static struct test t = {#id, test_##id, NULL, 0};                                                    \
        test_add(&t);                                                                                        \
    }                                                                                                        \
    static void test_##id(void)

#define TEST_FAIL(...)                                                                                       \
    do {                                                                                                     \
        printf("# %s:%d: ", __FILE__, __LINE__);                                                             \
        printf(__VA_ARGS__);                                                                                 \
        printf("\n");                                                                                        \
        longjmp(test_exit, 1);                                                                               \
    } while (0)
#define SKIP(...)                                                                                            \
    do {                                                                                                     \
        printf("# skipped: ");                                                                               \
        printf(__VA_ARGS__);                                                                                 \
        printf("\n");                                                                                        \
        longjmp(test_exit, 2);                                                                               \
    } while (0)

#define REQUIRE(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            TEST_FAIL("%s", #condition);                                                                     \
    } while (0)
// `what` names the case, a string.
#define REQUIRE_NEAR(got, want, tolerance, what)                                                             \
    do {                                                                                                     \
        double got_ = (got), want_ = (want), tol_ = (tolerance);                                             \
        if (!(fabs(got_ - want_) <= tol_))                                                                   \
            TEST_FAIL("%s: %s is %.9g, expected %.9g +- %.3g", (what), #got, got_, want_, tol_);             \
    } while (0)
#define REQUIRE_STRING(got, want)                                                                            \
    do {                                                                                                     \
        const char *got_ = (got), *want_ = (want);                                                           \
        if (!got_ || strcmp(got_, want_) != 0)                                                               \
            TEST_FAIL("%s is \"%s\", expected \"%s\"", #got, got_ ? got_ : "(null)", want_);                 \
    } while (0)

// 0: passed, 1: failed, 2: skipped. A function of its own: what longjmp comes back to holds no other locals.
static inline int test_run(const struct test *t)
{
    int how = setjmp(test_exit);
    if (how == 0)
        t->run();
    return how;
}

static inline struct test *test_find(const char *name)
{
    struct test *t = test_first;
    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

static inline int test_main(int argc, char **argv)
{
    int count = 0, number = 0, failed = 0, except = argc > 1 && argv[1][0] == '-';
    for (int i = 1; i < argc; i++) {
        struct test *t = test_find(argv[i] + except);
        if (!t || (argv[i][0] == '-') != except) {
            printf("Bail out! there is no test \"%s\"\n", argv[i]);
            return 1;
        }
        t->named = 1;
    }
    for (struct test *t = test_first; t; t = t->next)
        count += argc < 2 || t->named != except;
    printf("1..%d\n", count);
    for (struct test *t = test_first; t; t = t->next) {
        if (argc > 1 && t->named == except)
            continue;
        int how = test_run(t);
        printf("%s %d - %s%s\n", how == 1 ? "not ok" : "ok", ++number, t->name, how == 2 ? " # SKIP" : "");
        fflush(stdout);
        failed += how == 1;
    }
    return failed ? 1 : 0;
}

#define TEST_MAIN                                                                                            \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        return test_main(argc, argv);                                                                        \
    }

#endif
