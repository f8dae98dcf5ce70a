// SPDX-License-Identifier: LGPL-2.1-or-later
// The ops of transformers against their definitions in plain loops, on every device of the host.
#include "graph/fixture.h"

#include <float.h>

#include "backend/cpu/cpu.h"

static const char *const devices[] = {"ref", "cpu:plain", "cpu:avx2", "cpu:avx512", "cpu:neon"};
enum { DEVICES = sizeof(devices) / sizeof(devices[0]), INPUTS = 4 };

// Inputs of a graph, with their numbers; n = 0 ends them.
struct array {
    int n, h, w, c;
    const float *data;
};

static size_t count_of(const struct array *a)
{
    return (size_t)a->n * (size_t)a->h * (size_t)a->w * (size_t)a->c;
}

typedef struct ebb_node *(*build)(struct ebb_graph *g, struct ebb_node *const in[INPUTS]);

// What `build` makes of the inputs is `want` on every device, within `bound` of its largest value.
static void expect(build make, const struct array in[INPUTS], const float *want, size_t count, double bound,
                   const char *what)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fabs(want[i]) > largest ? fabs(want[i]) : largest; // gcc 12 for arm64 dies on fmax()
    for (size_t d = 0; d < DEVICES; d++) {
        struct ebb_device *there = ebb_device_create(devices[d], 2, NULL, NULL);
        if (!there)
            continue; // another machine's instructions
        struct ebb_graph *g = ebb_graph_create();
        struct ebb_node *nodes[INPUTS] = {NULL};
        struct ebb_buffer *buffers[INPUTS] = {NULL}, *out = buffer(there, NULL, count);
        for (int i = 0; i < INPUTS && in[i].n; i++) {
            nodes[i] = ebb_input(g, in[i].n, in[i].h, in[i].w, in[i].c);
            buffers[i] = buffer(there, in[i].data, count_of(&in[i]));
        }
        ebb_output(g, make(g, nodes));
        struct ebb_error error = {0};
        struct ebb_plan *plan = ebb_plan_create(there, g, &error);
        float *got = malloc(count * sizeof(*got));
        if (!plan || ebb_plan_run(plan, 0, buffers, &out, &error) != EBB_OK)
            TEST_FAIL("%s on %s: %s", what, devices[d], error.message);
        REQUIRE(ebb_buffer_read(out, 0, got, count, NULL) == EBB_OK);
        for (size_t i = 0; i < count; i++)
            REQUIRE_NEAR(got[i] / largest, want[i] / largest, bound, what);
        free(got);
        for (int i = 0; i < INPUTS; i++)
            ebb_buffer_destroy(&buffers[i]);
        ebb_buffer_destroy(&out);
        ebb_plan_destroy(&plan);
        ebb_device_destroy(&there);
    }
}

// ---- activations ----

static struct ebb_node *gelu(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_activate(g, in[0], EBB_ACT_GELU);
}
static struct ebb_node *gelu_tanh(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_activate(g, in[0], EBB_ACT_GELU_TANH);
}
static struct ebb_node *quick_gelu(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_activate(g, in[0], EBB_ACT_QUICK_GELU);
}
static struct ebb_node *hyperbolic(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_activate(g, in[0], EBB_ACT_TANH);
}

// From deep in the tails to around 0, so that each device's approximation is seen everywhere.
TEST(activations_are_their_formulas)
{
    enum { COUNT = 4001 };
    static float x[COUNT], want[4][COUNT];
    for (int i = 0; i < COUNT; i++) {
        double v = x[i] = (float)(i - COUNT / 2) * 0.005f;
        want[0][i] = (float)(0.5 * v * erfc(-v * M_SQRT1_2));
        want[1][i] = (float)(0.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))));
        want[2][i] = (float)(v / (1 + exp(-1.702 * v)));
        want[3][i] = (float)tanh(v);
    }
    static const build builds[] = {gelu, gelu_tanh, quick_gelu, hyperbolic};
    static const char *const names[] = {"gelu", "gelu by tanh", "quick gelu", "tanh"};
    for (int k = 0; k < 4; k++)
        expect(builds[k], (struct array[INPUTS]){{1, 1, COUNT, 1, x}}, want[k], COUNT, 3e-7, names[k]);
    static const float far[] = {-FLT_MAX, -1e6f, 1e6f}, ends[] = {0, 0, 1e6f}, tanh_ends[] = {-1, -1, 1};
    for (int k = 0; k < 3; k++)
        expect(builds[k], (struct array[INPUTS]){{1, 1, 1, 2, far + 1}}, ends + 1, 2, 1e-7, names[k]);
    expect(hyperbolic, (struct array[INPUTS]){{1, 1, 1, 3, far}}, tanh_ends, 3, 1e-7, "tanh");
}

// ---- RMS norm, gate, join, upsampling ----

static struct pool pool;

static struct ebb_node *rms_norm(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_rms_norm(g, in[0], 1e-6f, pool.weights[0]);
}

// Zhang and Sennrich 2019. The channels lie far from 0, so that a mean that is taken away would show.
TEST(rms_norm_is_its_definition)
{
    enum { PLACES = 6, C = 37 };
    float *x = random_floats(PLACES * C, 9), want[PLACES * C];
    pool.seed = 5;
    const struct ebb_weight *gamma = weight(&pool, C, 1, 1);
    for (int p = 0; p < PLACES; p++) {
        double squares = 0;
        for (int c = 0; c < C; c++)
            squares += pow(x[p * C + c] += 3, 2) / C;
        for (int c = 0; c < C; c++)
            want[p * C + c] = (float)(x[p * C + c] / sqrt(squares + 1e-6) * gamma->data[c]);
    }
    expect(rms_norm, (struct array[INPUTS]){{1, 2, 3, C, x}}, want, PLACES * C, 1e-6, "rms norm");
    free(x);
    pool_clear(&pool);
}

static struct ebb_node *geglu(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_gate(g, in[0], NULL, EBB_ACT_GELU);
}
static struct ebb_node *gate_apart(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_gate(g, in[0], in[1], EBB_ACT_GELU_TANH);
}

// Shazeer 2020; diffusers' GEGLU has values in the first half of the channels, and gates in the second.
TEST(a_gate_is_its_definition)
{
    enum { PLACES = 6, C = 19 };
    float *x = random_floats(PLACES * 2 * C, 3), halves[PLACES * C], apart[PLACES * C];
    for (int i = 0; i < PLACES * C; i++) {
        const float *at = x + i / C * 2 * C + i % C;
        double v = at[C], u = x[PLACES * C + i];
        halves[i] = (float)(at[0] * 0.5 * v * erfc(-v * M_SQRT1_2));
        apart[i] = (float)(x[i] * 0.5 * u * (1 + tanh(sqrt(2 / M_PI) * (u + 0.044715 * u * u * u))));
    }
    expect(geglu, (struct array[INPUTS]){{2, 1, 3, 2 * C, x}}, halves, PLACES * C, 1e-6, "GEGLU");
    expect(gate_apart, (struct array[INPUTS]){{2, 1, 3, C, x}, {2, 1, 3, C, x + PLACES * C}}, apart,
           PLACES * C, 1e-6, "gate apart");
    free(x);
}

static struct ebb_node *join(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_join_tokens(g, in[0], in[1]);
}

TEST(joined_tokens_follow_each_other_in_every_image)
{
    static const float a[] = {1, 2, 3, 4, 5, 6, 7, 8}, b[] = {-1, -2, -3, -4};
    static const float want[] = {1, 2, 3, 4, -1, -2, 5, 6, 7, 8, -3, -4};
    expect(join, (struct array[INPUTS]){{2, 2, 1, 2, a}, {2, 1, 1, 2, b}}, want, 12, 0, "join");
}

static struct ebb_node *turn(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_turn(g, in[0]);
}

TEST(rows_and_columns_take_each_others_place)
{
    static const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const float want[] = {1, 2, 7, 8, 3, 4, 9, 10, 5, 6, 11, 12};
    expect(turn, (struct array[INPUTS]){{1, 2, 3, 2, x}}, want, 12, 0, "turn");
}

static struct ebb_node *odd(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_upsample_to(g, in[0], 3, 4);
}

TEST(upsampling_to_an_odd_size_leaves_out_the_last)
{
    static const float x[] = {1, 2, 3, 4}, want[] = {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4};
    expect(odd, (struct array[INPUTS]){{1, 2, 2, 1, x}}, want, 12, 0, "upsampling to 3 x 4");
}

// ---- attention ----

enum { N = 2, HEADS = 3, WIDTH = 5, CHANNELS = HEADS * WIDTH, QUERIES = 21, KEYS = 40 };

struct scores {
    double scale;
    bool causal;
    const float *bias; // of item, head, query and key, in steps; NULL: none
    int step[3];
};

static void attend(const float *q, const float *k, const float *v, const struct scores *s, float *out)
{
    double p[KEYS];
    for (int i = 0; i < N * HEADS * QUERIES; i++) {
        int n = i / (HEADS * QUERIES), h = i / QUERIES % HEADS, t = i % QUERIES;
        int seen = s->causal ? t + 1 + KEYS - QUERIES : KEYS;
        const float *query = q + (n * QUERIES + t) * CHANNELS + h * WIDTH;
        double largest = -INFINITY, total = 0;
        for (int j = 0; j < seen; j++) {
            p[j] = s->bias ? s->bias[n * s->step[0] + h * s->step[1] + t * s->step[2] + j] : 0;
            for (int c = 0; c < WIDTH; c++)
                p[j] += s->scale * query[c] * k[(n * KEYS + j) * CHANNELS + h * WIDTH + c];
            largest = p[j] > largest ? p[j] : largest;
        }
        for (int j = 0; j < seen; j++)
            total += p[j] = exp(p[j] - largest);
        for (int c = 0; c < WIDTH; c++) {
            double sum = 0;
            for (int j = 0; j < seen; j++)
                sum += p[j] / total * v[(n * KEYS + j) * CHANNELS + h * WIDTH + c];
            out[(n * QUERIES + t) * CHANNELS + h * WIDTH + c] = (float)sum;
        }
    }
}

static struct ebb_node *plain(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_attention(g, in[0], in[1], in[2], HEADS);
}
static struct ebb_node *biased(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_attention_with(g, in[0], in[1], in[2],
                              &(struct ebb_attention_terms){.heads = HEADS, .scale = 1, .bias = in[3]});
}
static struct ebb_node *causal(struct ebb_graph *g, struct ebb_node *const in[INPUTS])
{
    return ebb_attention_with(g, in[0], in[1], in[2],
                              &(struct ebb_attention_terms){.heads = HEADS, .bias = in[3], .causal = true});
}

// Vaswani et al. 2017; a bias of scores by item (padding), by head and pair (Raffel et al. 2020), by all.
TEST(attention_is_its_definition)
{
    static const struct {
        build build;
        struct scores scores;
        int n, h, w; // of the bias; 0: none
    } cases[] = {
        {plain, {.causal = false}, 0, 0, 0},
        {biased, {.scale = 1, .step = {KEYS, 0, 0}}, N, 1, 1},
        {biased, {.scale = 1, .step = {0, QUERIES * KEYS, KEYS}}, 1, HEADS, QUERIES},
        {biased, {.scale = 1, .step = {HEADS * KEYS, KEYS, 0}}, N, HEADS, 1},
        {biased, {.scale = 1, .step = {HEADS * QUERIES * KEYS, QUERIES * KEYS, KEYS}}, N, HEADS, QUERIES},
        {causal, {.causal = true}, 0, 0, 0},
        {causal, {.causal = true, .step = {QUERIES * KEYS, 0, KEYS}}, N, 1, QUERIES},
    };
    float *q = random_floats(N * QUERIES * CHANNELS, 1), *k = random_floats(N * KEYS * CHANNELS, 2);
    float *v = random_floats(N * KEYS * CHANNELS, 3), want[N * QUERIES * CHANNELS];
    float *bias = random_floats((size_t)N * HEADS * QUERIES * KEYS, 4);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scores s = cases[i].scores;
        s.scale = s.scale > 0 ? s.scale : 1 / sqrt(WIDTH);
        s.bias = cases[i].n ? bias : NULL;
        attend(q, k, v, &s, want);
        expect(cases[i].build,
               (struct array[INPUTS]){{N, 3, QUERIES / 3, CHANNELS, q},
                                      {N, 1, KEYS, CHANNELS, k},
                                      {N, 1, KEYS, CHANNELS, v},
                                      {cases[i].n, cases[i].h, cases[i].w, KEYS, bias}},
               want, N * QUERIES * CHANNELS, 1e-6, "attention");
    }
    free(q);
    free(k);
    free(v);
    free(bias);
}

// What a mask hides has no weight at all; where it hides everything, all keys are alike, as in PyTorch.
// Scores are 0, so that an image's result is the mean of its keys' values 1, 2 and 6.
TEST(a_masked_key_is_not_seen)
{
    enum { IMAGES = 3, ALL = IMAGES * 3 };
    static const float zeros[ALL * HEADS], low[] = {-INFINITY, -FLT_MAX, -1e30f}, means[] = {3.5f, 4, 3};
    float values[ALL * HEADS], want[IMAGES * HEADS];
    for (int i = 0; i < ALL * HEADS; i++)
        values[i] = (const float[]){1, 2, 6}[i / HEADS % 3];
    for (int i = 0; i < IMAGES * HEADS; i++)
        want[i] = means[i / HEADS];
    for (int i = 0; i < 3; i++) {
        const float mask[ALL] = {0, low[i], 0, low[i], 0, 0, low[i], low[i], low[i]};
        expect(biased,
               (struct array[INPUTS]){{IMAGES, 1, 1, HEADS, zeros},
                                      {IMAGES, 1, 3, HEADS, zeros},
                                      {IMAGES, 1, 3, HEADS, values},
                                      {IMAGES, 1, 1, 3, mask}},
               want, IMAGES * HEADS, 1e-7, "mask");
    }
}

// 4096 tokens to 4096, as in a U-Net of Stable Diffusion's: keys and values once, and a few rows of scores.
TEST(memory_of_attention_grows_with_the_tokens_alone)
{
    enum { TOKENS = 4096, C = 320, ALL_HEADS = 8, THREADS = 2 };
    struct ebb_device *d = device("cpu", THREADS);
    struct ebb_operand x = {.n = 1, .h = 64, .w = 64, .c = C};
    struct ebb_op op = {.kind = EBB_OP_ATTENTION, .heads = ALL_HEADS, .scale = 1};
    struct cpu_op prepared = {.op = &op, .dst = &x, .src = {&x, &x, &x}};
    REQUIRE(d && cpu_attention.prepare(d->state, &prepared, NULL) == EBB_OK);
    size_t bound = 2 * (size_t)TOKENS * (C + 16 * ALL_HEADS) + (size_t)THREADS * 16 * TOKENS;
    REQUIRE(prepared.scratch <= bound && bound < (size_t)TOKENS * TOKENS / 4);
    ebb_device_destroy(&d);
}

TEST_MAIN
