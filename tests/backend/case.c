#include "case.h"

enum { ROWS = 4 }; // a test program has one of everything static: nothing here is freed on a failing REQUIRE

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

// Inputs of a graph under construction: data for all items, of which a run may take one.
struct inputs {
    struct ebb_graph *graph;
    struct ebb_buffer *buffers[ROWS];
    struct ebb_device *device;
    float *vectors[ROWS];
    int count, steps, n, item;
    uint64_t seed;
};

static struct ebb_node *input(struct inputs *in, int h, int w, int c)
{
    size_t size = (size_t)h * (size_t)w * (size_t)c;
    int n = in->item < 0 ? in->n : 1;
    float *data = random_floats(size * (size_t)in->n, ++in->seed);
    in->buffers[in->count++] = buffer(in->device, data + (in->item < 0 ? 0 : (size_t)in->item * size), size * (size_t)n);
    free(data);
    return ebb_input(in->graph, n, h, w, c);
}

static struct ebb_node *vector(struct inputs *in, int c)
{
    int n = in->item < 0 ? in->n : 1;
    float *data = random_floats((size_t)(c * in->n), ++in->seed);
    if (in->item >= 0)
        memmove(data, data + in->item * c, (size_t)c * sizeof(*data));
    in->vectors[in->steps++] = data;
    return ebb_step_input(in->graph, n, c);
}

static struct ebb_node *build(struct inputs *in, struct pool *pool, const struct op_case *c)
{
    struct ebb_graph *g = in->graph;
    int s[4];
    struct ebb_node *x = input(in, c->h, c->w, c->c);
    if (c->concat)
        x = ebb_concat(g, x, input(in, c->h, c->w, c->concat));
    ebb_node_shape(x, s);
    if (c->groups)
        x = ebb_group_norm(g, x, c->groups, 1e-5f, weight(pool, s[3], 1, 1), weight(pool, s[3], 1, 1));
    if (c->film)
        x = ebb_film(g, x, vector(in, 2 * s[3]));
    if (c->act)
        x = ebb_activate(g, x, c->act);
    if (c->upsample)
        x = ebb_upsample(g, x);
    if (c->pool)
        x = ebb_avg_pool(g, x);
    if (c->kernel)
        x = ebb_conv2d(g, x, weight(pool, c->cout, c->kernel, s[3]), c->bias ? weight(pool, c->cout, 1, 1) : NULL,
                       c->stride ? c->stride : 1, c->pad);
    if (c->heads) {
        struct ebb_node *k = c->tokens ? input(in, c->tokens, 1, c->c) : input(in, c->h, c->w, c->c);
        x = ebb_attention(g, x, k, c->tokens ? input(in, c->tokens, 1, c->c) : x, c->heads);
    }
    ebb_node_shape(x, s);
    if (c->vector)
        x = ebb_add_channels(g, x, vector(in, s[3]));
    if (c->residual)
        x = ebb_add(g, input(in, s[1], s[2], s[3]), x);
    return ebb_scale(g, x, c->scale != 0 ? c->scale : 1);
}

float *run_case(const char *device_name, int threads, const struct op_case *c, unsigned flags, int item, size_t *count)
{
    struct ebb_error error = {0};
    struct pool pool = {.seed = 100};
    struct inputs in = {.graph = ebb_graph_create(), .device = device(device_name, threads), .n = c->n, .item = item};
    int s[4];
    if (!in.device)
        return NULL;
    struct ebb_node *x = build(&in, &pool, c);
    ebb_node_shape(x, s);
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
