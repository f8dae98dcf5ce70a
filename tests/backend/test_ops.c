// Every op of `cpu`, and what fuses with it, against `ref`: odd sizes, tails, all instruction sets.
#include "case.h"

static const struct op_case cases[] = {
    {"conv 3x3", 1, 5, 7, 3, .cout = 5, .kernel = 3, .bias = true},
    {"conv 3x3, one pixel", 1, 1, 1, 3, .cout = 5, .kernel = 3, .bias = true},
    {"conv 3x3, no bias, batch", 3, 4, 9, 17, .cout = 33, .kernel = 3},
    {"conv 3x3, stride 2", 2, 7, 10, 8, .cout = 19, .kernel = 3, .stride = 2, .bias = true},
    {"conv 3x3, stride 2, right and bottom", 1, 8, 9, 8, .cout = 48, .kernel = 3, .stride = 2, .pad = EBB_PAD_RIGHT_BOTTOM},
    {"conv 5x5", 1, 6, 11, 4, .cout = 40, .kernel = 5, .bias = true},
    {"conv 5x5, stride 3", 1, 10, 11, 4, .cout = 4, .kernel = 5, .stride = 3, .bias = true},
    {"conv 1x1", 2, 5, 7, 31, .cout = 65, .kernel = 1, .bias = true},
    {"conv 1x1, stride 2", 2, 5, 7, 6, .cout = 16, .kernel = 1, .stride = 2, .bias = true},
    {"linear", 37, 1, 1, 50, .cout = 47, .kernel = 1, .bias = true},
    {"linear, activated source", 9, 1, 1, 50, .cout = 32, .kernel = 1, .bias = true, .act = EBB_ACT_SILU},
    {"winograd, whole tiles", 1, 16, 32, 64, .cout = 64, .kernel = 3, .bias = true},
    {"winograd, everything", 2, 13, 22, 20, .concat = 12, .groups = 8, .act = EBB_ACT_SILU, .cout = 37, .kernel = 3,
     .bias = true, .vector = true, .residual = true, .scale = 0.5f},
    {"winograd 2x2", 2, 8, 16, 30, .concat = 2, .groups = 8, .act = EBB_ACT_SILU, .cout = 45, .kernel = 3,
     .bias = true, .vector = true, .residual = true, .scale = 0.5f},
    {"winograd 2x2, odd", 1, 9, 7, 17, .cout = 16, .kernel = 3, .bias = true},
    {"winograd, upsampled", 1, 8, 11, 18, .upsample = true, .cout = 16, .kernel = 3, .bias = true},
    {"winograd, many chunks", 1, 50, 70, 100, .cout = 34, .kernel = 3, .vector = true},
    {"resnet's conv, small", 2, 4, 8, 24, .concat = 8, .groups = 4, .act = EBB_ACT_SILU, .cout = 40, .kernel = 3,
     .bias = true, .vector = true, .residual = true, .scale = 1.5f},
    {"conv of a mish", 1, 5, 5, 6, .groups = 3, .act = EBB_ACT_MISH, .cout = 6, .kernel = 3},
    {"conv of a gelu", 1, 5, 5, 6, .groups = 2, .act = EBB_ACT_GELU, .cout = 6, .kernel = 3},
    {"conv of a relu", 1, 5, 5, 6, .groups = 1, .act = EBB_ACT_RELU, .cout = 6, .kernel = 3},
    {"conv of FiLM", 2, 5, 5, 34, .groups = 17, .film = true, .act = EBB_ACT_SILU, .cout = 6, .kernel = 3, .bias = true},
    {"conv of FiLM without a norm", 2, 5, 5, 6, .film = true, .cout = 6, .kernel = 1},
    {"conv of upsampled concat", 2, 3, 5, 5, .concat = 6, .upsample = true, .act = EBB_ACT_SILU, .cout = 7, .kernel = 3},
    {"1x1 of everything", 3, 3, 5, 5, .concat = 7, .upsample = true, .groups = 3, .film = true, .act = EBB_ACT_SILU,
     .cout = 7, .kernel = 1, .bias = true, .vector = true, .residual = true, .scale = 2},
    {"group norm", 2, 9, 31, 66, .groups = 33},
    {"group norm of one pixel", 2, 1, 1, 66, .groups = 6},
    {"group norm, large", 1, 40, 40, 130, .groups = 10},
    {"silu", 1, 3, 5, 17, .act = EBB_ACT_SILU},
    {"gelu", 1, 3, 5, 17, .act = EBB_ACT_GELU},
    {"mish", 1, 3, 5, 17, .act = EBB_ACT_MISH},
    {"relu", 1, 3, 5, 17, .act = EBB_ACT_RELU},
    {"film", 2, 3, 5, 17, .film = true},
    {"sum, vector and scale", 2, 3, 5, 17, .vector = true, .residual = true, .scale = -3},
    {"concat", 2, 3, 5, 17, .concat = 1},
    {"upsample", 2, 3, 5, 17, .upsample = true},
    {"pool", 2, 7, 9, 17, .pool = true},
    {"pool of a concat, activated", 1, 4, 6, 3, .concat = 14, .act = EBB_ACT_SILU, .pool = true},
    {"attention, one head", 2, 5, 7, 13, .heads = 1},
    {"attention, many heads", 1, 8, 9, 96, .heads = 12},
    {"attention, wide head", 1, 3, 3, 150, .heads = 1},
    {"attention, other keys", 2, 3, 7, 24, .heads = 3, .tokens = 41},
    {"attention, one key", 2, 3, 7, 24, .heads = 3, .tokens = 1},
    {"attention's end", 1, 4, 8, 24, .heads = 3, .residual = true},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static const char *const devices[] = {"cpu:plain", "cpu:avx2", "cpu:avx512", "cpu"};

static void compare(const char *name, const struct op_case *c, const float *want, size_t count)
{
    char what[96];
    size_t got_count;
    float *got = run_case(name, 2, c, 0, -1, &got_count);
    snprintf(what, sizeof(what), "%s on %s", c->name, name);
    REQUIRE(got && got_count == count);
    REQUIRE_NEAR(relative_error(got, want, count), 0, 1e-5, what);
    free(got);
}

TEST(every_op_like_the_reference)
{
    for (int i = 0; i < CASES; i++) {
        size_t count;
        float *want = run_case("ref", 1, &cases[i], EBB_PLAN_NO_FUSE, -1, &count);
        REQUIRE(want && count);
        for (size_t d = 0; d < sizeof(devices) / sizeof(devices[0]); d++) {
            struct ebb_device *there = ebb_device_create(devices[d], 1, NULL, NULL);
            if (!there)
                continue; // another machine's instructions
            ebb_device_destroy(&there);
            compare(devices[d], &cases[i], want, count);
        }
        free(want);
    }
}

TEST(fused_reference_like_the_plain_one)
{
    for (int i = 0; i < CASES; i++) {
        size_t count, fused_count;
        float *want = run_case("ref", 1, &cases[i], EBB_PLAN_NO_FUSE, -1, &count);
        float *fused = run_case("ref", 1, &cases[i], 0, -1, &fused_count);
        REQUIRE(want && fused && count == fused_count);
        REQUIRE_NEAR(relative_error(fused, want, count), 0, 2e-6, cases[i].name);
        free(want);
        free(fused);
    }
}

TEST(threads_do_not_change_a_bit)
{
    for (int i = 0; i < CASES; i++) {
        size_t count;
        float *one = run_case("cpu", 1, &cases[i], 0, -1, &count);
        for (int threads = 2; one && threads <= 5; threads++) {
            float *more = run_case("cpu", threads, &cases[i], 0, -1, &count);
            REQUIRE(more && memcmp(one, more, count * sizeof(*one)) == 0);
            free(more);
        }
        REQUIRE(one);
        free(one);
    }
}

TEST(a_batch_is_its_items_bit_for_bit)
{
    for (int i = 0; i < CASES; i++) {
        struct op_case c = cases[i];
        size_t count, one_count = 0;
        c.n = 4;
        float *all = run_case("cpu", 2, &c, 0, -1, &count);
        for (int item = 0; all && item < c.n; item++) {
            float *one = run_case("cpu", 2, &c, 0, item, &one_count);
            REQUIRE(one && one_count * (size_t)c.n == count);
            if (memcmp(one, all + (size_t)item * one_count, one_count * sizeof(*one)) != 0)
                TEST_FAIL("%s: item %d differs by %g", c.name, item,
                          relative_error(one, all + (size_t)item * one_count, one_count));
            free(one);
        }
        REQUIRE(all);
        free(all);
    }
}

TEST_MAIN
