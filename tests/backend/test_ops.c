// SPDX-License-Identifier: LGPL-2.1-or-later
// Every op of `cpu`, and what fuses with it, against `ref`: odd sizes, tails, all instruction sets.
#include "backend/backend.h"
#include "case.h"

static const struct op_case cases[] = {
    {"conv 3x3", 1, 5, 7, 3, .cout = 5, .kernel = 3, .bias = true},
    {"conv 3x3, one pixel", 1, 1, 1, 3, .cout = 5, .kernel = 3, .bias = true},
    {"conv 3x3, no bias, batch", 3, 4, 9, 17, .cout = 33, .kernel = 3},
    {"conv 3x3, stride 2", 2, 7, 10, 8, .cout = 19, .kernel = 3, .stride = 2, .bias = true},
    {"conv 3x3, stride 2, right and bottom", 1, 8, 9, 8, .cout = 48, .kernel = 3, .stride = 2,
     .pad = EBB_PAD_RIGHT_BOTTOM},
    {"conv 5x5", 1, 6, 11, 4, .cout = 40, .kernel = 5, .bias = true},
    {"conv 5x5, stride 3", 1, 10, 11, 4, .cout = 4, .kernel = 5, .stride = 3, .bias = true},
    {"conv 1x1", 2, 5, 7, 31, .cout = 65, .kernel = 1, .bias = true},
    {"conv 1x1, stride 2", 2, 5, 7, 6, .cout = 16, .kernel = 1, .stride = 2, .bias = true},
    {"linear", 37, 1, 1, 50, .cout = 47, .kernel = 1, .bias = true},
    {"linear, activated source", 9, 1, 1, 50, .cout = 32, .kernel = 1, .bias = true, .act = EBB_ACT_SILU},
    {"winograd, whole tiles", 1, 16, 32, 64, .cout = 64, .kernel = 3, .bias = true},
    {"winograd, everything", 2, 13, 22, 20, .concat = 12, .groups = 8, .act = EBB_ACT_SILU, .cout = 37,
     .kernel = 3, .bias = true, .vector = true, .residual = true, .scale = 0.5f},
    {"winograd 2x2", 2, 8, 16, 30, .concat = 2, .groups = 8, .act = EBB_ACT_SILU, .cout = 45, .kernel = 3,
     .bias = true, .vector = true, .residual = true, .scale = 0.5f},
    {"winograd 2x2, odd", 1, 9, 7, 17, .cout = 16, .kernel = 3, .bias = true},
    {"winograd, upsampled", 1, 8, 11, 18, .upsample = true, .cout = 16, .kernel = 3, .bias = true},
    {"winograd, many bands", 1, 50, 70, 100, .cout = 34, .kernel = 3, .vector = true},
    {"winograd, bands of a batch", 2, 37, 41, 130, .act = EBB_ACT_SILU, .cout = 20, .kernel = 3,
     .vector = true, .residual = true},
    {"winograd, lines in parts", 1, 3, 800, 68, .upsample = true, .cout = 16, .kernel = 3, .bias = true},
    {"winograd, slices of the input", 1, 9, 15, 300, .cout = 430, .kernel = 3, .bias = true},
    {"conv 3x3, stride 2, groups of weights", 1, 5, 6, 300, .cout = 430, .kernel = 3, .stride = 2,
     .bias = true},
    {"conv 3x3, stride 2, bands", 2, 75, 90, 80, .groups = 8, .act = EBB_ACT_SILU, .cout = 10, .kernel = 3,
     .stride = 2, .bias = true, .vector = true},
    {"conv 1x1, bands", 2, 61, 75, 70, .concat = 60, .act = EBB_ACT_SILU, .cout = 10, .kernel = 1,
     .bias = true},
    {"conv 1x1, bands, vector", 2, 61, 75, 70, .concat = 60, .cout = 18, .kernel = 1, .vector = true},
    {"resnet's conv, small", 2, 4, 8, 24, .concat = 8, .groups = 4, .act = EBB_ACT_SILU, .cout = 40,
     .kernel = 3, .bias = true, .vector = true, .residual = true, .scale = 1.5f},
    {"conv of a mish", 1, 5, 5, 6, .groups = 3, .act = EBB_ACT_MISH, .cout = 6, .kernel = 3},
    {"conv of a gelu", 1, 5, 5, 6, .groups = 2, .act = EBB_ACT_GELU, .cout = 6, .kernel = 3},
    {"conv of a relu", 1, 5, 5, 6, .groups = 1, .act = EBB_ACT_RELU, .cout = 6, .kernel = 3},
    {"conv of FiLM", 2, 5, 5, 34, .groups = 17, .film = true, .act = EBB_ACT_SILU, .cout = 6, .kernel = 3,
     .bias = true},
    {"conv of FiLM without a norm", 2, 5, 5, 6, .film = true, .cout = 6, .kernel = 1},
    {"conv of upsampled concat", 2, 3, 5, 5, .concat = 6, .upsample = true, .act = EBB_ACT_SILU, .cout = 7,
     .kernel = 3},
    {"1x1 of everything", 3, 3, 5, 5, .concat = 7, .upsample = true, .groups = 3, .film = true,
     .act = EBB_ACT_SILU, .cout = 7, .kernel = 1, .bias = true, .vector = true, .residual = true, .scale = 2},
    {"1-D conv", 1, 1, 37, 5, .cout = 7, .kernel = 3, .dilation = 1, .bias = true},
    {"1-D conv, dilated, rows and batch", 2, 3, 41, 6, .cout = 35, .kernel = 7, .dilation = 3},
    {"1-D conv, kernel wider than its row", 1, 1, 4, 6, .cout = 8, .kernel = 11, .dilation = 5, .bias = true},
    {"1-D conv of one tap", 2, 1, 19, 20, .cout = 17, .kernel = 1, .dilation = 2},
    {"1-D conv, long, to one channel", 1, 1, 600, 18, .act = EBB_ACT_LEAKY, .cout = 1, .kernel = 7,
     .dilation = 1, .bias = true},
    {"1-D conv by Toom and Cook, 3 taps", 1, 1, 64, 16, .cout = 16, .kernel = 3, .dilation = 1, .bias = true},
    {"1-D conv by Toom and Cook, 11 taps, dilated", 2, 1, 1207, 35, .cout = 50, .kernel = 11, .dilation = 5,
     .act = EBB_ACT_LEAKY, .bias = true, .residual = true},
    {"1-D conv by Toom and Cook, everything", 2, 2, 75, 20, .concat = 12, .groups = 8, .act = EBB_ACT_SILU,
     .cout = 37, .kernel = 7, .dilation = 3, .bias = true, .vector = true, .residual = true, .scale = 0.5f},
    {"1-D conv by Toom and Cook, wide dilation", 1, 1, 700, 16, .cout = 33, .kernel = 5, .dilation = 100},
    {"1-D conv of an upsampled row", 1, 2, 70, 18, .upsample = true, .cout = 20, .kernel = 5, .dilation = 2},
    {"transposed 1-D conv", 1, 1, 13, 6, .cout = 5, .kernel = 4, .up = 2, .cut = 1, .bias = true},
    {"transposed 1-D conv, an end beside its stride", 1, 1, 9, 20, .cout = 33, .kernel = 16, .up = 5,
     .cut = 5, .act = EBB_ACT_LEAKY, .bias = true},
    {"transposed 1-D conv, gaps between its taps", 1, 1, 9, 3, .cout = 4, .kernel = 3, .up = 7, .bias = true},
    {"transposed 1-D conv, long, everything", 2, 2, 301, 9, .concat = 9, .groups = 2, .act = EBB_ACT_LEAKY,
     .cout = 40, .kernel = 11, .up = 3, .cut = 4, .bias = true, .vector = true, .residual = true, .scale = 2},
    {"leaky ReLU", 1, 3, 5, 17, .act = EBB_ACT_LEAKY},
    {"tanh", 1, 3, 5, 17, .act = EBB_ACT_TANH, .scale = 3},
    {"conv of a leaky ReLU", 1, 5, 5, 6, .act = EBB_ACT_LEAKY, .cout = 6, .kernel = 3},
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
    {"layer norm", 2, 5, 7, 67, .layer_norm = true},
    {"layer norm, wide", 1, 3, 4, 768, .layer_norm = true},
    {"layer norm, few channels, no weights", 2, 3, 5, 5, .layer_norm = true, .plain = true},
    {"layer norm of one channel", 1, 3, 5, 1, .layer_norm = true},
    {"layer norm of a linear layer", 2, 4, 6, 24, .act = EBB_ACT_GELU, .cout = 40, .kernel = 1, .bias = true,
     .layer_norm = true, .vector = true, .residual = true, .scale = 0.5f},
    {"attention, one head", 2, 5, 7, 13, .heads = 1},
    {"attention, many heads", 1, 8, 9, 96, .heads = 12},
    {"attention, wide head", 1, 3, 3, 150, .heads = 1},
    {"attention, other keys", 2, 3, 7, 24, .heads = 3, .tokens = 41},
    {"attention, one key", 2, 3, 7, 24, .heads = 3, .tokens = 1},
    {"attention's end", 1, 4, 8, 24, .heads = 3, .residual = true},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

// Those above, then those of transformers.
static const struct op_case *case_of(int i)
{
    return i < CASES ? &cases[i] : i - CASES < transformer_case_count ? &transformer_cases[i - CASES] : NULL;
}

static const char *const devices[] = {"cpu:plain", "cpu:avx2", "cpu:avx512", "cpu:neon"};

// What `ref` says of a case without fusing, computed once, for `ref` is slow.
static const float *reference(int i, size_t *count)
{
    static struct {
        float *values;
        size_t count;
    } known[128];
    REQUIRE((size_t)i < sizeof(known) / sizeof(known[0]));
    if (!known[i].values)
        known[i].values = run_case("ref", 1, case_of(i), EBB_PLAN_NO_FUSE, -1, &known[i].count);
    REQUIRE(known[i].values && known[i].count);
    *count = known[i].count;
    return known[i].values;
}

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
    for (int i = 0; case_of(i); i++) {
        size_t count;
        const float *want = reference(i, &count);
        for (size_t d = 0; d < sizeof(devices) / sizeof(devices[0]); d++) {
            struct ebb_device *there = ebb_device_create(devices[d], 1, NULL, NULL);
            if (!there)
                continue; // another machine's instructions
            ebb_device_destroy(&there);
            compare(devices[d], case_of(i), want, count);
        }
    }
}

static void compare_panels(const char *name, const struct op_case *plain)
{
    struct op_case panels = *plain;
    panels.panels = true;
    size_t count;
    float *want = run_case(name, 2, plain, 0, -1, &count), *got = run_case(name, 2, &panels, 0, -1, &count);
    REQUIRE(want && got);
    if (memcmp(want, got, count * sizeof(*want)) != 0)
        TEST_FAIL("%s on %s, number %d: %g apart", plain->name, name, (int)plain->number,
                  relative_error(got, want, count));
    free(want);
    free(got);
}

// Weights that are held as panels give the bits of the same weights held plainly, in every number; where no
// vectors make it fast in one of them, on ref in every fourth case.
TEST(panels_like_plain_weights)
{
    static const int bits[] = {[EBB_FLOAT32] = 0, [EBB_FLOAT16] = 11, [EBB_BFLOAT16] = 8};
    static const char *const all[] = {"cpu:avx2", "cpu:avx512", "cpu:neon", "cpu:plain", "ref"};
    for (int i = 0; i < CASES * 3; i++) {
        struct op_case c = cases[i / 3];
        c.number = (enum ebb_number)(i % 3);
        c.bits = bits[c.number];
        bool plain = i % 3 == i / 3 % 3, ref = c.number == EBB_FLOAT16 && i / 3 % 4 == 0;
        for (int d = 0; c.kernel && d < 5; d++) {
            if ((d == 3 && !plain) || (d == 4 && !ref))
                continue;
            struct ebb_device *there = ebb_device_create(all[d], 1, NULL, NULL);
            if (there) // not another machine's instructions
                compare_panels(all[d], &c);
            ebb_device_destroy(&there);
        }
    }
}

// ---- bfloat16 ----

static const char *const bf16_devices[] = {"cpu:plain", "cpu:avx512", "cpu:amx", "cpu:neon"};
enum { BF16_DEVICES = sizeof(bf16_devices) / sizeof(bf16_devices[0]) };

// What NEON has 6 pixels, 16 output channels and 8 input channels of, in all remainders.
static const struct op_case bf16_cases[] = {
    {"one pixel", 1, 1, 1, 20, .cout = 16, .kernel = 1, .bias = true},
    {"2 pixels", 1, 1, 2, 16, .cout = 17, .kernel = 1},
    {"3 pixels", 1, 1, 3, 28, .cout = 33, .kernel = 1, .residual = true},
    {"4 pixels, 18 channels", 1, 1, 4, 18, .cout = 32, .kernel = 1},
    {"5 pixels", 1, 1, 5, 64, .cout = 48, .kernel = 1, .scale = 0.5f},
    {"12 pixels", 1, 1, 12, 36, .cout = 30, .kernel = 1, .vector = true},
    {"stride 2", 2, 7, 13, 20, .cout = 40, .kernel = 3, .stride = 2, .bias = true, .vector = true,
     .residual = true},
    {"5x5", 1, 6, 11, 20, .cout = 40, .kernel = 5, .bias = true},
    {"slices of the input", 1, 5, 6, 300, .cout = 50, .kernel = 3, .bias = true},
    {"slices of the input, wide", 1, 17, 20, 100, .cout = 50, .kernel = 3, .bias = true, .residual = true},
};
enum { BF16_CASES = sizeof(bf16_cases) / sizeof(bf16_cases[0]) };

// Those, then those above; NULL: the end.
static const struct op_case *bf16_case_of(int i)
{
    return i < BF16_CASES ? &bf16_cases[i] : i - BF16_CASES < CASES ? &cases[i - BF16_CASES] : NULL;
}

static bool by_winograd(const struct op_case *c)
{
    return c->kernel == 3 && c->stride < 2;
}

// An even number of channels, and at least 16, as convolutions in bfloat16 have.
static bool in_bf16(const struct op_case *c)
{
    int channels = c->c + c->concat;
    return c->kernel && !c->dilation && !c->up && channels % 2 == 0 && channels >= 16 && c->cout >= 16;
}

static bool has_bf16(const char *name)
{
    struct ebb_device *there = ebb_device_create(name, 1, NULL, NULL);
    bool has = there && there->bf16;
    ebb_device_destroy(&there);
    return has;
}

static void compare_bf16(const char *name, const struct op_case *c, const float *want, size_t count,
                         double bound)
{
    struct op_case rounded = *c;
    rounded.bf16 = true;
    if (!has_bf16(name))
        return; // another machine's instructions
    float *got = run_case(name, 2, &rounded, 0, -1, &count);
    char what[96];
    snprintf(what, sizeof(what), "%s on %s", c->name, name);
    REQUIRE(got);
    REQUIRE_NEAR(relative_error(got, want, count), 0, bound, what);
    free(got);
}

// Where sources and weights are numbers of bfloat16 already, nothing is rounded: the result is the sum of the
// products, summed as float32.
TEST(bf16_of_rounded_numbers_is_the_definition)
{
    int compared = 0;
    for (int i = 0; bf16_case_of(i); i++) {
        struct op_case c = *bf16_case_of(i);
        c.bits = c.in_bits = 8;
        if (!in_bf16(&c) || by_winograd(&c) || c.groups || c.film || c.act)
            continue;
        size_t count;
        float *want = run_case("ref", 1, &c, EBB_PLAN_NO_FUSE, -1, &count);
        REQUIRE(want);
        for (int d = 0; d < BF16_DEVICES; d++)
            compare_bf16(bf16_devices[d], &c, want, count, 1e-6);
        free(want);
        compared++;
    }
    REQUIRE(compared >= 3);
}

// All else: the rounding of sources and weights to 8 bits, and what Winograd's method makes of it.
TEST(bf16_is_near_the_reference)
{
    for (int i = 0; bf16_case_of(i); i++) {
        const struct op_case *c = bf16_case_of(i);
        if (!in_bf16(c))
            continue;
        size_t count;
        float *own = i < BF16_CASES ? run_case("ref", 1, c, EBB_PLAN_NO_FUSE, -1, &count) : NULL;
        const float *want = i < BF16_CASES ? own : reference(i - BF16_CASES, &count);
        REQUIRE(want);
        for (int d = 0; d < BF16_DEVICES; d++)
            compare_bf16(bf16_devices[d], c, want, count, by_winograd(c) ? 2e-2 : 5e-3);
        free(own);
    }
}

static const struct op_case bf16_attentions[] = {
    {"attention, one head", 2, 5, 7, 13, .heads = 1},
    {"attention, many heads", 1, 8, 9, 96, .heads = 12},
    {"attention, wide head", 1, 3, 3, 150, .heads = 1},
    {"attention, other keys", 2, 3, 7, 24, .heads = 3, .tokens = 41},
    {"attention, one key", 2, 3, 7, 24, .heads = 3, .tokens = 1},
    {"attention, many tokens", 1, 13, 27, 80, .heads = 2},
    {"attention, causal, with a bias", 2, 9, 5, 64, .heads = 2, .scores = BIAS_POSITIONS, .causal = true},
};
enum { BF16_ATTENTIONS = sizeof(bf16_attentions) / sizeof(bf16_attentions[0]) };

// What is rounded to 8 bits, by at most 2^-9 of itself: queries, keys, values and the weights that softmax
// makes. Scores of these inputs are a few units, so that a weight is off by 2^-8 times as much, and an
// answer, a mean over keys, by less: by at most 1e-2 of the largest. On ARM, and in plain C, attention stays
// float32.
static void compare_attention_in_bf16(const char *device, struct op_case c, const float *want)
{
    size_t count;
    if (!has_bf16(device))
        return; // another machine's instructions
    float *wide = run_case(device, 1, &c, 0, -1, &count);
    c.bf16 = true;
    float *got = run_case(device, 1, &c, 0, -1, &count), *more = run_case(device, 3, &c, 0, -1, &count);
    char what[96];
    snprintf(what, sizeof(what), "%s on %s", c.name, device);
    REQUIRE(wide && got && more);
    REQUIRE_NEAR(relative_error(got, want, count), 0, 1e-2, what);
    REQUIRE(memcmp(got, more, count * sizeof(*got)) == 0);
    bool rounds = strcmp(device, "cpu:avx512") == 0 || strcmp(device, "cpu:amx") == 0;
    REQUIRE((memcmp(got, wide, count * sizeof(*got)) != 0) == rounds);
    free(wide);
    free(got);
    free(more);
}

TEST(bf16_attention_is_near_the_reference)
{
    for (int i = 0; i < BF16_ATTENTIONS; i++) {
        size_t count;
        float *want = run_case("ref", 1, &bf16_attentions[i], EBB_PLAN_NO_FUSE, -1, &count);
        REQUIRE(want);
        for (int d = 0; d < BF16_DEVICES; d++)
            compare_attention_in_bf16(bf16_devices[d], bf16_attentions[i], want);
        free(want);
    }
}

// The same rounding, in plain C: what differs is the order of sums in float32, and after a transformation of
// Winograd's some numbers that it carries to the other side of a tie.
TEST(bf16_of_neon_is_that_of_plain_c)
{
    if (!has_bf16("cpu:neon"))
        SKIP("no BF16 of ARM here");
    for (int i = 0; i < BF16_CASES; i++) {
        struct op_case c = bf16_cases[i];
        size_t count;
        if (c.c % 4) // the definition rounds these, NEON does not
            continue;
        float *wide = run_case("cpu:neon", 1, &c, 0, -1, &count);
        c.bf16 = true;
        float *want = run_case("cpu:plain", 1, &c, 0, -1, &count);
        REQUIRE(wide && want && relative_error(wide, want, count) > 1e-4);
        compare_bf16("cpu:neon", &c, want, count, by_winograd(&c) ? 1e-3 : 1e-6);
        free(wide);
        free(want);
    }
}

// The result does not depend on threads or on the other images of a batch, and is not that of float32.
TEST(bf16_is_the_same_every_time)
{
    struct op_case c = {"conv in bfloat16",  3,          9,           18,           30,          .concat = 2,
                        .act = EBB_ACT_SILU, .cout = 40, .kernel = 3, .bias = true, .bf16 = true};
    struct op_case wide = c;
    wide.bf16 = false;
    for (int i = 0; i < 2 * BF16_DEVICES; i++) {
        const char *device = bf16_devices[i / 2];
        size_t count, one_count;
        c.kernel = wide.kernel = i % 2 ? 3 : 1;
        if (!has_bf16(device))
            continue; // another machine's instructions
        float *all = run_case(device, 1, &c, 0, -1, &count), *more = run_case(device, 3, &c, 0, -1, &count);
        float *one = run_case(device, 2, &c, 0, 1, &one_count),
              *float32 = run_case(device, 1, &wide, 0, -1, &count);
        REQUIRE(all && more && one && float32);
        REQUIRE(memcmp(all, more, count * sizeof(*all)) == 0);
        REQUIRE(memcmp(all + one_count, one, one_count * sizeof(*all)) == 0);
        REQUIRE(memcmp(all, float32, count * sizeof(*all)) != 0);
        free(all);
        free(more);
        free(one);
        free(float32);
    }
}

// Ba, Kiros and Hinton 2016 in plain loops, on every device; the channels lie far from 0, where squares
// cancel.
TEST(layer_norm_is_its_definition)
{
    enum { PLACES = 6, C = 37, COUNT = PLACES * C };
    static const char *const all[] = {"ref", "cpu:plain", "cpu:avx2", "cpu:avx512", "cpu:neon"};
    struct pool pool = {.seed = 7};
    struct ebb_weight *gamma = weight(&pool, C, 1, 1), *beta = weight(&pool, C, 1, 1);
    float *x = random_floats(COUNT, 9), got[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] += 100;
    for (size_t d = 0; d < sizeof(all) / sizeof(all[0]); d++) {
        struct ebb_device *there = ebb_device_create(all[d], 1, NULL, NULL);
        if (!there)
            continue; // another machine's instructions
        struct ebb_graph *g = ebb_graph_create();
        struct ebb_buffer *in = buffer(there, x, COUNT), *out = buffer(there, NULL, COUNT);
        ebb_output(g, ebb_layer_norm(g, ebb_input(g, 1, 2, 3, C), 1e-5f, gamma, beta));
        struct ebb_plan *plan = ebb_plan_create(there, g, NULL);
        REQUIRE(plan && ebb_plan_run(plan, 0, &in, &out, NULL) == EBB_OK);
        REQUIRE(ebb_buffer_read(out, 0, got, COUNT, NULL) == EBB_OK);
        for (int p = 0; p < PLACES; p++) {
            double mean = 0, variance = 0;
            for (int c = 0; c < C; c++)
                mean += x[p * C + c] / (double)C;
            for (int c = 0; c < C; c++)
                variance += pow(x[p * C + c] - mean, 2) / C;
            for (int c = 0; c < C; c++) {
                double want = (x[p * C + c] - mean) / sqrt(variance + 1e-5) * gamma->data[c] + beta->data[c];
                REQUIRE_NEAR(got[p * C + c], want, 1e-6, all[d]);
            }
        }
        ebb_buffer_destroy(&in);
        ebb_buffer_destroy(&out);
        ebb_plan_destroy(&plan);
        ebb_device_destroy(&there);
    }
    free(x);
    pool_clear(&pool);
}

// PyTorch's documentation of Conv1d and ConvTranspose1d in plain loops, on every device.
TEST(one_dimensional_convolutions_are_their_definitions)
{
    enum { W = 90, CIN = 17, COUT = 18, K = 5, DILATION = 3, STRIDE = 4, CUT = 2 };
    enum { UP = (W - 1) * STRIDE - 2 * CUT + K };
    static const char *const all[] = {"ref", "cpu:plain", "cpu:avx2", "cpu:avx512", "cpu:neon"};
    struct pool pool = {.seed = 11};
    struct ebb_weight *w = weight_1d(&pool, COUT, K, CIN), *bias = weight(&pool, COUT, 1, 1);
    float *x = random_floats(W * CIN, 5), got[UP * COUT];
    double plain[W * COUT], up[UP * COUT];
    for (int t = 0; t < W * COUT; t++)
        plain[t] = bias->data[t % COUT];
    for (int t = 0; t < UP * COUT; t++)
        up[t] = bias->data[t % COUT];
    for (int o = 0; o < COUT; o++)
        for (int k = 0; k < K; k++)
            for (int i = 0; i < CIN; i++)
                for (int t = 0; t < W; t++) {
                    double product = (double)w->data[(o * K + k) * CIN + i] * x[t * CIN + i];
                    int to = t - (k - K / 2) * DILATION, spread = t * STRIDE + k - CUT;
                    if (to >= 0 && to < W)
                        plain[to * COUT + o] += product;
                    if (spread >= 0 && spread < UP)
                        up[spread * COUT + o] += product;
                }
    for (size_t d = 0; d < sizeof(all) / sizeof(all[0]); d++) {
        struct ebb_device *there = ebb_device_create(all[d], 1, NULL, NULL);
        for (int which = 0; there && which < 2; which++) {
            int count = which ? UP * COUT : W * COUT;
            struct ebb_graph *g = ebb_graph_create();
            struct ebb_node *in = ebb_input(g, 1, 1, W, CIN);
            struct ebb_buffer *from = buffer(there, x, W * CIN), *to = buffer(there, NULL, UP * COUT);
            ebb_output(g, which ? ebb_conv_1d_up(g, in, w, bias, STRIDE, CUT)
                                : ebb_conv_1d(g, in, w, bias, DILATION));
            struct ebb_plan *plan = ebb_plan_create(there, g, NULL);
            REQUIRE(plan && ebb_plan_run(plan, 0, &from, &to, NULL) == EBB_OK);
            REQUIRE(ebb_buffer_read(to, 0, got, (size_t)count, NULL) == EBB_OK);
            for (int t = 0; t < count; t++)
                REQUIRE_NEAR(got[t], which ? up[t] : plain[t], 1e-5, all[d]);
            ebb_buffer_destroy(&from);
            ebb_buffer_destroy(&to);
            ebb_plan_destroy(&plan);
        }
        ebb_device_destroy(&there);
    }
    free(x);
    pool_clear(&pool);
}

TEST(fused_reference_like_the_plain_one)
{
    for (int i = 0; case_of(i); i++) {
        size_t count, fused_count;
        const float *want = reference(i, &count);
        float *fused = run_case("ref", 1, case_of(i), 0, -1, &fused_count);
        REQUIRE(fused && count == fused_count);
        REQUIRE_NEAR(relative_error(fused, want, count), 0, 2e-6, case_of(i)->name);
        free(fused);
    }
}

TEST(threads_do_not_change_a_bit)
{
    for (int i = 0; case_of(i); i++) {
        size_t count;
        float *one = run_case("cpu", 1, case_of(i), 0, -1, &count);
        for (int threads = 2; one && threads <= 5; threads++) {
            float *more = run_case("cpu", threads, case_of(i), 0, -1, &count);
            REQUIRE(more && memcmp(one, more, count * sizeof(*one)) == 0);
            free(more);
        }
        REQUIRE(one);
        free(one);
    }
}

TEST(a_batch_is_its_items_bit_for_bit)
{
    for (int i = 0; case_of(i); i++) {
        struct op_case c = *case_of(i);
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
