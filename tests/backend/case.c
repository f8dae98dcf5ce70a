// SPDX-License-Identifier: LGPL-2.1-or-later
#include "case.h"

#include <float.h>

const struct op_case transformer_cases[] = {
    {"gelu by tanh", 1, 3, 5, 17, .act = EBB_ACT_GELU_TANH},
    {"quick gelu", 1, 3, 5, 17, .act = EBB_ACT_QUICK_GELU},
    {"tanh", 1, 3, 5, 17, .act = EBB_ACT_TANH},
    {"linear of a quick gelu", 2, 3, 5, 20, .act = EBB_ACT_QUICK_GELU, .cout = 24, .kernel = 1},
    {"conv of a gelu by tanh", 2, 4, 6, 12, .act = EBB_ACT_GELU_TANH, .cout = 16, .kernel = 3},
    {"rms norm", 2, 5, 7, 67, .rms = true},
    {"rms norm, wide", 1, 3, 4, 768, .rms = true},
    {"rms norm of one channel, no weights", 2, 3, 5, 1, .rms = true, .plain = true},
    {"GEGLU", 2, 3, 5, 12, .cout = 70, .kernel = 1, .gate = EBB_ACT_GELU},
    {"gate of halves, two channels", 2, 3, 5, 2, .gate = EBB_ACT_SILU},
    {"gate apart", 2, 3, 5, 19, .cout = 19, .kernel = 1, .gate = EBB_ACT_GELU_TANH, .apart = true},
    {"gate apart, quick", 1, 1, 1, 64, .gate = EBB_ACT_QUICK_GELU, .apart = true},
    {"two sequences", 3, 4, 5, 7, .join = 3},
    {"two sequences, then a linear layer's end", 2, 1, 4, 16, .cout = 24, .kernel = 1, .join = 1,
     .residual = true},
    {"odd upsampling", 2, 3, 4, 5, .odd = true},
    {"turned", 2, 3, 4, 5, .cout = 5, .kernel = 3, .turn = true},
    {"attention with padding", 3, 3, 7, 24, .heads = 3, .tokens = 41, .scores = BIAS_PADDING},
    {"attention with padding, to itself", 2, 1, 13, 20, .heads = 2, .scores = BIAS_PADDING},
    {"attention with positions, unscaled", 2, 1, 19, 24, .heads = 4, .scores = BIAS_POSITIONS,
     .score_scale = 1},
    {"attention with a bias of everything", 2, 3, 5, 24, .heads = 3, .tokens = 70, .scores = BIAS_EVERYTHING},
    {"causal attention", 2, 1, 77, 32, .heads = 2, .causal = true},
    {"causal attention, some queries", 2, 1, 5, 32, .heads = 2, .tokens = 70, .causal = true},
    {"causal attention with padding", 2, 1, 18, 12, .heads = 1, .tokens = 20, .causal = true,
     .scores = BIAS_PADDING},
    {"attention of one token, causal", 2, 1, 1, 12, .heads = 3, .tokens = 1, .causal = true},
    {"attention between linear layers", 2, 3, 5, 32, .cout = 32, .kernel = 1, .heads = 4,
     .scores = BIAS_PADDING, .residual = true},
};
const int transformer_case_count = sizeof(transformer_cases) / sizeof(transformer_cases[0]);

enum { ROWS = 6 }; // a test program has one of everything static: nothing here is freed on a failing REQUIRE

double relative_error(const float *a, const float *b, size_t count)
{
    double largest = 0, scale = 1e-30;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!isfinite(d))
            return INFINITY;
        largest = d > largest ? d : largest;
        scale = fabs(b[i]) > scale ? fabs(b[i]) : scale;
    }
    return largest / scale;
}

// To `bits` significant bits; what a half would hold with fewer goes to its multiples of 2^-24.
static void round_to(float *data, size_t count, int bits)
{
    for (size_t i = 0; i < count && bits; i++) {
        int exponent;
        float mantissa = frexpf(data[i], &exponent);
        int last = exponent - bits > -24 ? exponent - bits : -24;
        data[i] = ldexpf(rintf(ldexpf(mantissa, exponent - last)), last);
    }
}

// Inputs of a graph under construction: data for all items, of which a run may take one.
struct case_inputs {
    struct ebb_graph *graph;
    struct ebb_buffer *buffers[ROWS];
    struct ebb_device *device;
    float *vectors[ROWS];
    int count, steps, n, item, bits; // bits: significant ones of inputs; 0: all
    uint64_t seed;
};

// The same for all items, so that a run of one item takes it too.
static struct ebb_node *shared_input(struct case_inputs *in, int h, int w, int c)
{
    size_t size = (size_t)h * (size_t)w * (size_t)c;
    float *data = random_floats(size, ++in->seed);
    in->buffers[in->count++] = buffer(in->device, data, size);
    free(data);
    return ebb_input(in->graph, 1, h, w, c);
}

static struct ebb_node *input(struct case_inputs *in, int h, int w, int c)
{
    size_t size = (size_t)h * (size_t)w * (size_t)c;
    int n = in->item < 0 ? in->n : 1;
    float *data = random_floats(size * (size_t)in->n, ++in->seed);
    round_to(data, size * (size_t)in->n, in->bits);
    in->buffers[in->count++] = buffer(in->device, data + (in->item < 0 ? 0 : (size_t)in->item * size),
                                      size * (size_t)n);
    free(data);
    return ebb_input(in->graph, n, h, w, c);
}

static struct ebb_node *vector(struct case_inputs *in, int c)
{
    int n = in->item < 0 ? in->n : 1;
    float *data = random_floats((size_t)(c * in->n), ++in->seed);
    if (in->item >= 0)
        memmove(data, data + in->item * c, (size_t)c * sizeof(*data));
    in->vectors[in->steps++] = data;
    return ebb_step_input(in->graph, n, c);
}

// A mask by item: every third key is not seen, in the ways that files and libraries say so.
static struct ebb_node *padding(struct case_inputs *in, int keys)
{
    static const float unseen[] = {-INFINITY, -FLT_MAX, -1e30f};
    struct ebb_node *mask = vector(in, keys);
    float *values = in->vectors[in->steps - 1];
    for (int i = 0; i < keys * in->n; i++) {
        int item = i / keys + (in->item < 0 ? 0 : in->item), key = i % keys;
        values[i] = (key + item) % 3 == 1 ? unseen[key % 9 / 3] : 0;
    }
    return mask;
}

static struct ebb_node *bias_of(struct case_inputs *in, const struct op_case *c, int queries, int keys)
{
    if (c->scores == BIAS_PADDING)
        return padding(in, keys);
    if (c->scores == BIAS_POSITIONS)
        return shared_input(in, c->heads, queries, keys);
    return c->scores ? input(in, c->heads, queries, keys) : NULL;
}

static struct ebb_node *attention(struct case_inputs *in, const struct op_case *c, struct ebb_node *q)
{
    struct ebb_node *k = c->tokens ? input(in, c->tokens, 1, c->c) : input(in, c->h, c->w, c->c);
    struct ebb_node *v = !c->tokens ? q : c->scores == BIAS_EVERYTHING ? k : input(in, c->tokens, 1, c->c);
    if (!c->scores && !c->causal && c->score_scale == 0)
        return ebb_attention(in->graph, q, k, v, c->heads);
    int queries = c->h * c->w;
    struct ebb_attention_terms terms = {.heads = c->heads,
                                        .scale = c->score_scale,
                                        .causal = c->causal,
                                        .bias = bias_of(in, c, queries, c->tokens ? c->tokens : queries)};
    return ebb_attention_with(in->graph, q, k, v, &terms);
}

// ---- the convolution's weights ----

// IEEE 754 binary16 of a number that it holds exactly.
static uint16_t half_of(float x)
{
    int exponent;
    float mantissa = frexpf(fabsf(x), &exponent); // [0.5, 1), or 0
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    if (exponent < -13) // subnormal: multiples of 2^-24
        return sign | (uint16_t)ldexpf(mantissa, exponent + 24);
    return mantissa == 0 ? sign
                         : sign | (uint16_t)((exponent + 14) << 10 | ((int)ldexpf(mantissa, 11) & 0x3ff));
}

static void put(void *panels, enum ebb_number number, size_t at, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (number == EBB_FLOAT32)
        ((float *)panels)[at] = x;
    else
        ((uint16_t *)panels)[at] = number == EBB_FLOAT16 ? half_of(x) : (uint16_t)(bits >> 16);
}

// The same weight as panels in place of its plain numbers; the panels take over the numbers' place in the
// pool.
static void hold_as_panels(struct ebb_weight *w, enum ebb_number number)
{
    size_t depth = (size_t)(w->kh * w->kw * w->cin), columns = ((size_t)w->cout + 15) / 16 * 16;
    void *panels = aligned_alloc(64, (depth * columns * sizeof(float) + 63) / 64 * 64);
    for (size_t c = 0; c < columns; c++)
        for (size_t k = 0; k < depth; k++) {
            size_t panel = c / 32, width = columns - panel * 32 <= 16 ? 16 : 32;
            put(panels, number, panel * 32 * depth + k * width + c % 32,
                c < (size_t)w->cout ? w->data[c * depth + k] : 0);
        }
    free((void *)w->data);
    w->data = NULL;
    w->panels = (struct ebb_panels){panels, number};
}

static struct ebb_weight *kernel(struct pool *pool, const struct op_case *c, int cin)
{
    struct ebb_weight *w = (c->dilation || c->up ? weight_1d : weight)(pool, c->cout, c->kernel, cin);
    round_to((float *)w->data, (size_t)(w->cout * w->kh * w->kw * w->cin), c->bits);
    if (c->panels)
        hold_as_panels(w, c->number);
    return w;
}

static struct ebb_node *build(struct case_inputs *in, struct pool *pool, const struct op_case *c)
{
    struct ebb_graph *g = in->graph;
    int s[4];
    struct ebb_node *x = input(in, c->h, c->w, c->c);
    if (c->concat)
        x = ebb_concat(g, x, input(in, c->h, c->w, c->concat));
    node_shape(x, s);
    if (c->groups)
        x = ebb_group_norm(g, x, c->groups, 1e-5f, weight(pool, s[3], 1, 1), weight(pool, s[3], 1, 1));
    if (c->film)
        x = ebb_film(g, x, vector(in, 2 * s[3]));
    if (c->act == EBB_ACT_LEAKY)
        x = ebb_leaky_relu(g, x, 0.1f);
    else if (c->act)
        x = ebb_activate(g, x, c->act);
    if (c->upsample)
        x = ebb_upsample(g, x);
    if (c->pool)
        x = ebb_avg_pool(g, x);
    if (c->dilation)
        x = ebb_conv_1d(g, x, kernel(pool, c, s[3]), c->bias ? weight(pool, c->cout, 1, 1) : NULL,
                        c->dilation);
    else if (c->up)
        x = ebb_conv_1d_up(g, x, kernel(pool, c, s[3]), c->bias ? weight(pool, c->cout, 1, 1) : NULL, c->up,
                           c->cut);
    else if (c->kernel)
        x = ebb_conv2d(g, x, kernel(pool, c, s[3]), c->bias ? weight(pool, c->cout, 1, 1) : NULL,
                       c->stride ? c->stride : 1, c->pad);
    if (c->heads)
        x = attention(in, c, x);
    node_shape(x, s);
    if (c->gate)
        x = ebb_gate(g, x, c->apart ? input(in, s[1], s[2], s[3]) : NULL, c->gate);
    if (c->join)
        x = ebb_join_tokens(g, x, input(in, 1, c->join, s[3]));
    if (c->turn)
        x = ebb_turn(g, x);
    if (c->odd)
        x = ebb_upsample_to(g, x, 2 * s[1] - 1, 2 * s[2]);
    node_shape(x, s);
    if (c->rms)
        x = ebb_rms_norm(g, x, 1e-6f, c->plain ? NULL : weight(pool, s[3], 1, 1));
    if (c->layer_norm)
        x = ebb_layer_norm(g, x, 1e-5f, c->plain ? NULL : weight(pool, s[3], 1, 1),
                           c->plain ? NULL : weight(pool, s[3], 1, 1));
    if (c->vector)
        x = ebb_add_channels(g, x, vector(in, s[3]));
    if (c->residual)
        x = ebb_add(g, input(in, s[1], s[2], s[3]), x);
    return ebb_scale(g, x, c->scale != 0 ? c->scale : 1);
}

float *run_case(const char *device_name, int threads, const struct op_case *c, unsigned flags, int item,
                size_t *count)
{
    struct ebb_error error = {0};
    struct pool pool = {.seed = 100};
    struct case_inputs in = {.graph = ebb_graph_create(),
                             .device = device(device_name, threads),
                             .n = c->n,
                             .bits = c->in_bits,
                             .item = item};
    int s[4];
    if (!in.device)
        return NULL;
    if (c->bf16)
        ebb_graph_use_bf16(in.graph);
    struct ebb_node *x = build(&in, &pool, c);
    node_shape(x, s);
    ebb_output(in.graph, x);
    *count = (size_t)s[0] * (size_t)s[1] * (size_t)s[2] * (size_t)s[3];
    struct ebb_buffer *out = buffer(in.device, NULL, *count ? *count : 1);
    float *result = malloc((*count + 1) * sizeof(*result));
    struct ebb_plan *plan = ebb_plan_create_with(in.device, in.graph, flags, &error);
    bool good = plan != NULL;
    good = good && (!in.steps || ebb_plan_steps(plan, 1, (const float *const *)in.vectors, &error) == EBB_OK);
    good = good && ebb_plan_run(plan, 0, in.buffers, &out, &error) == EBB_OK;
    good = good && ebb_buffer_read(out, 0, result, *count, &error) == EBB_OK;
    if (!good) {
        printf("# %s on %s: %s\n", c->name, device_name, error.message);
        free(result);
        result = NULL;
    }
    for (int i = 0; i < ROWS; i++) {
        ebb_buffer_destroy(&in.buffers[i]);
        free(in.vectors[i]);
    }
    ebb_buffer_destroy(&out);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&in.device);
    pool_clear(&pool);
    return result;
}
