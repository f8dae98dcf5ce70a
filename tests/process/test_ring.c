// SPDX-License-Identifier: LGPL-2.1-or-later
// Windows around a ring: together they are the ring, and none of its columns is special.
#include <math.h>
#include <stdlib.h>

#include "process/ring.h"
#include "test.h"

static float value(int y, int x, int k)
{
    return (float)(100 * y + x + 0.25 * k);
}

// What comes back when every window answers what it was shown, plus `edge` in its outermost columns.
static void go_round(const struct ebb_ring *ring, int turn, float edge, float *out)
{
    size_t count = (size_t)ring->h * ring->w * ring->c;
    float *in = calloc(count, sizeof(float)), *weights = calloc(ring->w, sizeof(float));
    float *window = calloc((size_t)ring->h * ring->window * ring->c, sizeof(float));
    REQUIRE(in && weights && window);
    for (size_t i = 0; i < count; i++) {
        in[i] = value((int)(i / ring->c / ring->w), (int)(i / ring->c % ring->w), (int)(i % ring->c));
        out[i] = 0;
    }
    for (int i = 0; i < ebb_ring_windows(ring); i++) {
        int start = ebb_ring_start(ring, i, turn);
        REQUIRE(start >= 0 && start < ring->w);
        ebb_ring_take(ring, in, start, 2, window);
        REQUIRE(window[0] == 2 * value(0, start, 0)); // the definition: column (start + x) mod w
        REQUIRE(window[ring->c * (ring->window - 1)] ==
                2 * value(0, (start + ring->window - 1) % ring->w, 0));
        for (int y = 0; y < ring->h; y++)
            for (int k = 0; k < ring->c; k++) {
                window[(size_t)y * ring->window * ring->c + k] += edge;
                window[((size_t)(y + 1) * ring->window - 1) * ring->c + k] += edge;
            }
        ebb_ring_add(ring, window, start, out);
        ebb_ring_weigh(ring, start, weights);
    }
    ebb_ring_divide(ring, weights, out);
    free(in);
    free(weights);
    free(window);
}

TEST(windows_together_are_the_ring)
{
    static const int widths[] = {1, 2, 3, 6, 23, 24, 25, 31, 32, 33, 48, 49, 100, 117};
    static float out[2 * 117 * 3];
    for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++)
        for (int turn = 0; turn < 30; turn += 7) {
            struct ebb_ring ring = {.h = 2, .w = widths[i], .c = 3, .window = 32};
            go_round(&ring, turn, 0, out);
            for (int n = 0; n < 2 * ring.w * 3; n++)
                REQUIRE(fabs(out[n] - 2 * value(n / 3 / ring.w, n / 3 % ring.w, n % 3)) < 1e-4);
        }
}

// A mistake of 1 in the outermost columns of every window weighs at most a twelfth where windows overlap.
TEST(the_edge_of_a_window_hardly_counts)
{
    static float out[117];
    for (int turn = 0; turn < 24; turn++) {
        struct ebb_ring ring = {.h = 1, .w = 117, .c = 1, .window = 32};
        go_round(&ring, turn, 1, out);
        for (int x = 0; x < 117; x++)
            REQUIRE(fabs(out[x] - 2 * value(0, x, 0)) < 1.0 / 12);
    }
}

TEST(turns_put_the_edges_elsewhere)
{
    struct ebb_ring ring = {.h = 1, .w = 117, .c = 1, .window = 32};
    int seen[24] = {0}, most = 0;
    for (int number = 0; number < 48; number++) {
        int turn = ebb_ring_turn(&ring, number);
        REQUIRE(turn >= 0 && turn < 24);
        most = ++seen[turn] > most ? seen[turn] : most;
    }
    REQUIRE(most <= 3); // 48 turns over 24 places: two each, more or less
}

TEST_MAIN
