// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/memory.h>

#include "base/base.h"
#include "test.h"

#include <stdint.h>
#include <stdlib.h>

TEST(a_failure_carries_code_and_sentence)
{
    struct ebb_error error = {0};
    REQUIRE(ebb_fail(&error, EBB_NOT_FOUND, "model \"%s\"", "x") == EBB_NOT_FOUND);
    REQUIRE(error.code == EBB_NOT_FOUND);
    REQUIRE_STRING(error.message, "model \"x\"");
    ebb_explain(&error, "opening %d", 3);
    REQUIRE_STRING(error.message, "opening 3: model \"x\"");
    REQUIRE(ebb_fail(NULL, EBB_CORRUPT, "nobody asked") == EBB_CORRUPT);
}

TEST(a_message_too_long_is_cut_not_overrun)
{
    char text[2000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    struct ebb_error error = {0};
    ebb_fail(&error, EBB_INVALID, "%s", text);
    REQUIRE(strlen(error.message) == sizeof(error.message) - 1);
    ebb_explain(&error, "%s", text);
    REQUIRE(strlen(error.message) == sizeof(error.message) - 1);
}

TEST(every_result_has_a_name)
{
    for (int i = EBB_OK; i <= EBB_CANCELLED; i++)
        REQUIRE(strcmp(ebb_result_name((enum ebb_result)i), "unknown") != 0);
    REQUIRE_STRING(ebb_result_name((enum ebb_result)999), "unknown");
}

TEST(an_allocation_that_cannot_be_counted_fails)
{
    REQUIRE(ebb_alloc(SIZE_MAX / 2, 4) == NULL);
    void *p = ebb_alloc(0, 0);
    REQUIRE(p != NULL);
    free(p);
}

TEST(the_bound_of_memory_is_what_the_environment_says)
{
    static const struct {
        const char *text;
        double bytes;
    } rows[] = {{"1000", 1000},    {"1G", 1073741824.0}, {"1.5m", 1572864},
                {"64K", 65536},    {"", 536870912},      {"lots", 536870912},
                {"-1", 536870912}, {"2GB", 536870912},   {"nan", 536870912}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setenv("EBB_MEMORY", rows[i].text, 1);
        REQUIRE_NEAR((double)ebb_memory_bound(), rows[i].bytes, 0, rows[i].text);
    }
    setenv("EBB_MEMORY", "99999999T", 1); // more than a machine can address
    REQUIRE(ebb_memory_bound() == SIZE_MAX / 2);
    unsetenv("EBB_MEMORY");
    REQUIRE(ebb_memory_bound() == (size_t)512 << 20);
}

TEST_MAIN
