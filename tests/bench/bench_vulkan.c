// SPDX-License-Identifier: LGPL-2.1-or-later
// What a dispatch and single convolutions cost on a device, recorded ahead as the reverse process does it:
// bench-vulkan [DEVICE [REPEAT [SMALLER]]]. Prints a JSON line each; SMALLER divides the sides of the maps,
// for software drivers. Variants are chosen by EBB_VULKAN (fp32, nocoop, nosplit): gpu.sh runs them all.
#include <time.h>

#include "fixture.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Median seconds of one of `entries` on the tape, which leaves its result in `last`.
static double time_tape(struct ebb_tape *tape, struct ebb_buffer *last, int entries, int repeat)
{
    double times[101];
    float value;
    repeat = repeat > 100 ? 100 : repeat;
    for (int i = 0; i <= repeat; i++) { // the first one warms up
        double start = seconds();
        if (ebb_tape_play(tape, NULL, NULL, NULL) != EBB_OK ||
            ebb_buffer_read(last, 0, &value, 1, NULL) != EBB_OK)
            exit(1);
        times[i] = (seconds() - start) / entries;
    }
    qsort(times + 1, (size_t)repeat, sizeof(*times), ascending);
    return times[1 + repeat / 2];
}

// Blends of 64 numbers, each waiting for the one before: what a step of so many dispatches costs at least.
static void bench_dispatch(struct ebb_device *d, int repeat)
{
    enum { ENTRIES = 1000 };
    struct ebb_buffer *x = buffer(d, NULL, 64);
    struct ebb_tape *tape = ebb_tape_create(d, NULL);
    struct ebb_blend blend = {.dst = x, .terms = 1, .src = {x}, .weight = {1}, .count = 64};
    for (int i = 0; i < ENTRIES; i++)
        ebb_tape_blend(tape, &blend, NULL);
    printf("{\"what\": \"dispatch floor\", \"us\": %.3f}\n", 1e6 * time_tape(tape, x, ENTRIES, repeat));
    ebb_tape_destroy(&tape);
    ebb_buffer_destroy(&x);
}

// Alternating between two convolutions, so that each waits for the one before.
static void bench_conv(struct ebb_device *d, int h, int w, int c, int kernel, int repeat)
{
    enum { CONVS = 16 };
    struct pool pool = {0};
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *x = ebb_input(g, 1, h, w, c);
    struct ebb_weight *weights = weight(&pool, c, kernel, c), *bias = weight(&pool, c, 1, 1);
    for (int i = 0; i < CONVS; i++)
        x = ebb_conv2d(g, x, weights, bias, 1, EBB_PAD_SAME);
    ebb_output(g, x);
    struct ebb_plan *plan = ebb_plan_create(d, g, NULL);
    struct ebb_buffer *in = buffer(d, NULL, (size_t)(h * w * c)), *out = buffer(d, NULL, (size_t)(h * w * c));
    struct ebb_tape *tape = ebb_tape_create(d, NULL);
    if (!plan || !in || !out || ebb_plan_tape(plan, tape, 0, &in, &out, NULL) != EBB_OK)
        exit(1);
    double s = time_tape(tape, out, CONVS, repeat), gflop = 2e-9 * h * w * c * c * kernel * kernel;
    printf("{\"what\": \"conv %dx%d %d -> %d, %d x %d\", \"us\": %.3f, \"gflops\": %.1f}\n", kernel, kernel,
           c, c, h, w, 1e6 * s, gflop / s);
    ebb_tape_destroy(&tape);
    ebb_plan_destroy(&plan);
    ebb_buffer_destroy(&in);
    ebb_buffer_destroy(&out);
    pool_clear(&pool);
}

int main(int argc, char **argv)
{
    // Layers of 128 x 256 networks from top to bottom, a linear one, and those of the shipped ones.
    static const int convs[][4] = {{128, 256, 32, 3}, {64, 128, 64, 3}, {32, 64, 128, 3},
                                   {16, 32, 256, 3},  {8, 16, 512, 3},  {16, 32, 256, 1},
                                   {16, 32, 64, 3},   {8, 16, 128, 3},  {4, 8, 192, 3}};
    struct ebb_device *d = device(argc > 1 ? argv[1] : "vulkan", 0);
    int repeat = argc > 2 ? atoi(argv[2]) : 50, smaller = argc > 3 ? atoi(argv[3]) : 1;
    if (!d)
        return 1;
    const char *options = getenv("EBB_VULKAN");
    printf("{\"device\": \"%s\", \"EBB_VULKAN\": \"%s\"}\n", ebb_device_description(d),
           options ? options : "");
    bench_dispatch(d, repeat);
    for (size_t i = 0; i < sizeof(convs) / sizeof(convs[0]); i++)
        bench_conv(d, convs[i][0] / smaller ? convs[i][0] / smaller : 1,
                   convs[i][1] / smaller ? convs[i][1] / smaller : 1, convs[i][2], convs[i][3], repeat);
    ebb_device_destroy(&d);
    return 0;
}
