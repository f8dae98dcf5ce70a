// SPDX-License-Identifier: LGPL-2.1-or-later
// A queue of floats, against its definition.
#include <stdlib.h>

#include "base/fifo.h"
#include "test.h"

TEST(fifo_gives_back_what_it_got)
{
    struct ebb_fifo fifo = {0};
    float next = 0, want = 0, block[100];
    unsigned state = 1;
    for (int turn = 0; turn < 10000; turn++) {
        state = state * 1664525u + 1013904223u;
        size_t in = state >> 8 & 63, out = state >> 16 & 63;
        for (size_t i = 0; i < in; i++)
            block[i] = next++;
        REQUIRE(ebb_fifo_push(&fifo, block, in));
        out = out < fifo.count ? out : fifo.count;
        for (size_t i = 0; i < out; i++)
            REQUIRE(ebb_fifo_data(&fifo)[i] == want++);
        ebb_fifo_drop(&fifo, out);
    }
    REQUIRE(fifo.count == (size_t)(next - want));
    size_t before = fifo.count;
    REQUIRE(ebb_fifo_push(&fifo, NULL, 3));
    for (int i = 0; i < 3; i++)
        REQUIRE(ebb_fifo_data(&fifo)[before + i] == 0);
    ebb_fifo_free(&fifo);
}

TEST_MAIN
