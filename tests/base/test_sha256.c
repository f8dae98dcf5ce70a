// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/sha256.h"

#include <stdlib.h>

#include "test.h"

static void check(const void *data, size_t size, const char *expected)
{
    // In one piece and in pieces of every size that could go wrong.
    for (size_t step = 1; step < 200; step += step < 70 ? 1 : 29) {
        struct ebb_sha256 sha;
        char hex[65];
        ebb_sha256_start(&sha);
        for (size_t at = 0; at < size; at += step)
            ebb_sha256_add(&sha, (const char *)data + at, size - at < step ? size - at : step);
        ebb_sha256_finish(&sha, hex);
        REQUIRE_STRING(hex, expected);
    }
}

TEST(the_standard_examples)
{
    check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    check(two, strlen(two), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// Around the places where the length no longer fits into the last block; sums from Python's hashlib.
TEST(lengths_around_a_block)
{
    static const struct {
        size_t size;
        const char *sum;
    } cases[] = {
        {55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"},
        {56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"},
        {63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488"},
        {64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"},
        {65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781"},
        {119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6"},
        {120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c"},
        {128, "471fb943aa23c511f6f72f8d1652d9c880cfa392ad80503120547703e56a2be5"},
    };
    unsigned char data[128];
    for (int i = 0; i < 128; i++)
        data[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check(data, cases[i].size, cases[i].sum);
}

TEST(a_million_letters)
{
    char *letters = malloc(1000000);
    memset(letters, 'a', 1000000);
    check(letters, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(letters);
}

TEST_MAIN
