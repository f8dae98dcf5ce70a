// SPDX-License-Identifier: LGPL-2.1-or-later
#include "autodiff.h"

#include "graph/autodiff.h"

// ---- the graphs ----

static int channels(const struct ebb_node *x)
{
    int s[4];
    node_shape(x, s);
    return s[3];
}

static struct ebb_node *conv_of(struct ebb_graph *g, struct pool *p, struct ebb_node *x, int cout, int k,
                                int stride, enum ebb_pad pad)
{
    return ebb_conv2d(g, x, weight(p, cout, k, channels(x)), weight(p, cout, 1, 1), stride, pad);
}

static struct ebb_node *norm_of(struct ebb_graph *g, struct pool *p, struct ebb_node *x, int groups)
{
    int c = channels(x);
    return ebb_group_norm(g, x, groups, 1e-5f, weight(p, c, 1, 1), weight(p, c, 1, 1));
}

static struct ebb_node *conv3(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv_of(g, p, x, 7, 3, 1, EBB_PAD_SAME);
}
static struct ebb_node *conv5(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv_of(g, p, x, 7, 5, 3, EBB_PAD_SAME);
}
static struct ebb_node *conv_wide(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv_of(g, p, x, 40, 3, 1, EBB_PAD_SAME);
}
static struct ebb_node *strided(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv_of(g, p, x, 20, 3, 2, EBB_PAD_SAME);
}
static struct ebb_node *strided_corner(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv_of(g, p, x, 9, 3, 2, EBB_PAD_RIGHT_BOTTOM);
}
static struct ebb_node *strided_point(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv_of(g, p, x, 9, 1, 2, EBB_PAD_SAME);
}
static struct ebb_node *linear(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_linear(g, x, weight(p, 31, 1, channels(x)), NULL);
}
static struct ebb_node *norm(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return norm_of(g, p, x, 4);
}
static struct ebb_node *plain_norm(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_group_norm(g, x, 1, 1e-3f, NULL, NULL);
}
static struct ebb_node *norm_film_silu(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    int c = channels(x);
    x = ebb_film(g, norm_of(g, p, conv_of(g, p, x, c, 3, 1, EBB_PAD_SAME), 3), ebb_step_input(g, 2, 2 * c));
    return conv_of(g, p, ebb_activate(g, x, EBB_ACT_SILU), 5, 3, 1, EBB_PAD_SAME);
}
static struct ebb_node *film(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_film(g, x, ebb_step_input(g, 2, 2 * channels(x)));
}
static struct ebb_node *silu(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, x, EBB_ACT_SILU);
}
static struct ebb_node *gelu(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, ebb_scale(g, x, 2.5f), EBB_ACT_GELU);
}
static struct ebb_node *gelu_tanh(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, ebb_scale(g, x, 2.5f), EBB_ACT_GELU_TANH);
}
static struct ebb_node *quick_gelu(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, ebb_scale(g, x, 2.5f), EBB_ACT_QUICK_GELU);
}
static struct ebb_node *hyperbolic(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, ebb_scale(g, x, 1.5f), EBB_ACT_TANH);
}
static struct ebb_node *mish(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, ebb_scale(g, x, 3), EBB_ACT_MISH);
}
static struct ebb_node *relu(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_activate(g, norm_of(g, p, x, 2), EBB_ACT_RELU);
}
static struct ebb_node *upsample(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv3(g, p, ebb_upsample(g, x));
}
static struct ebb_node *pool_odd(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return conv3(g, p, ebb_avg_pool(g, x));
}
static struct ebb_node *mean(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return linear(g, p, ebb_mean(g, silu(g, p, x)));
}
static struct ebb_node *concat(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    struct ebb_node *y = conv3(g, p, x);
    return conv3(g, p, silu(g, p, norm_of(g, p, ebb_concat(g, y, x), 3)));
}
static struct ebb_node *own_vector(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    struct ebb_node *v = ebb_linear(g, ebb_mean(g, x), weight(p, channels(x), 1, channels(x)), NULL);
    return ebb_scale(g, ebb_add_channels(g, silu(g, p, x), v), 1.5f);
}
static struct ebb_node *attention(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    int c = channels(x);
    struct ebb_node *h = norm_of(g, p, x, 3), *part[3];
    for (int i = 0; i < 3; i++)
        part[i] = ebb_linear(g, ebb_scale(g, h, 2), weight(p, c, 1, c), weight(p, c, 1, 1));
    h = ebb_attention(g, part[0], part[1], part[2], 3);
    return ebb_add(g, ebb_linear(g, h, weight(p, c, 1, c), NULL), x);
}
static struct ebb_node *attention_alone(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    return ebb_attention(g, ebb_scale(g, x, 2), silu(g, p, x), x, 1);
}
static struct ebb_node *resnet(struct ebb_graph *g, struct pool *p, struct ebb_node *x)
{
    struct ebb_node *t = ebb_linear(g, ebb_step_input(g, 2, 6), weight(p, 16, 1, 6), NULL);
    struct ebb_node *h = conv_of(g, p, silu(g, p, norm_of(g, p, x, 4)), 16, 3, 1, EBB_PAD_SAME);
    h = silu(g, p, norm_of(g, p, ebb_add_channels(g, h, t), 4));
    h = ebb_add(g, conv_of(g, p, h, 16, 3, 1, EBB_PAD_SAME), conv_of(g, p, x, 16, 1, 1, EBB_PAD_SAME));
    h = attention(g, p, conv_of(g, p, h, 24, 3, 2, EBB_PAD_SAME));
    return linear(g, p, ebb_mean(g, silu(g, p, norm_of(g, p, h, 4))));
}

const struct gradient_case gradient_cases[] = {
    {"conv 3x3", 2, 5, 7, 3, .build = conv3},
    {"conv 3x3, wide", 1, 13, 22, 33, .build = conv_wide},
    {"conv 5x5, stride 3", 1, 10, 11, 4, .build = conv5},
    {"conv 3x3, stride 2", 2, 8, 12, 18, .build = strided},
    {"conv 3x3, stride 2, odd", 1, 7, 9, 5, .build = strided},
    {"conv 3x3, stride 2, one pixel", 1, 1, 1, 5, .build = strided},
    {"conv 3x3, stride 2, right and bottom", 2, 8, 6, 12, .build = strided_corner},
    {"conv 3x3, stride 2, right and bottom, odd", 1, 7, 9, 12, .build = strided_corner},
    {"conv 1x1, stride 2", 1, 5, 6, 12, .build = strided_point},
    {"linear", 3, 1, 1, 50, .build = linear},
    {"norm", 2, 5, 6, 12, .build = norm},
    {"norm, large", 1, 20, 24, 132, .build = norm},
    {"norm, one group, no weights", 2, 5, 6, 7, .build = plain_norm},
    {"norm, FiLM and silu", 2, 5, 6, 12, .build = norm_film_silu, .vector = 24},
    {"FiLM", 2, 3, 5, 17, .build = film, .vector = 34},
    {"silu", 1, 3, 5, 17, .build = silu},
    {"gelu", 1, 3, 5, 17, .build = gelu},
    {"gelu by tanh", 1, 3, 5, 17, .build = gelu_tanh},
    {"quick gelu", 1, 3, 5, 17, .build = quick_gelu},
    {"tanh", 1, 3, 5, 17, .build = hyperbolic},
    {"mish", 1, 3, 5, 17, .build = mish},
    {"relu of a norm", 1, 3, 5, 18, .build = relu, .kinked = true},
    {"upsample", 1, 3, 5, 6, .build = upsample},
    {"pool, odd", 2, 7, 9, 6, .build = pool_odd},
    {"pool", 1, 4, 6, 6, .build = pool_odd},
    {"mean", 2, 5, 3, 20, .build = mean},
    {"concat", 1, 5, 7, 5, .build = concat},
    {"a vector of its own", 2, 4, 5, 19, .build = own_vector},
    {"attention, three heads", 2, 3, 5, 24, .build = attention},
    {"attention, one head", 1, 9, 8, 37, .build = attention_alone},
    {"attention, wide", 1, 3, 4, 70, .build = attention_alone},
    {"a residual block to its mean", 2, 6, 8, 8, .build = resnet, .vector = 6},
};
const int gradient_case_count = sizeof(gradient_cases) / sizeof(*gradient_cases);

// ---- running them ----

float *gradient_seed(size_t count)
{
    return random_floats(count, 11);
}

float *gradient_direction(size_t count)
{
    return random_floats(count, 12);
}

double gradient_error(const float *a, const float *b, size_t count)
{
    double wrong = 0, size = 1e-30;
    for (size_t i = 0; i < count; i++) {
        wrong += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return isfinite(wrong) ? sqrt(wrong / size) : INFINITY;
}

struct gradient_run {
    const char *device;
    int threads, item;
    unsigned flags;
    double shift;
    bool gradient;
};

static size_t floats(const int s[4])
{
    return (size_t)s[0] * (size_t)s[1] * (size_t)s[2] * (size_t)s[3];
}

// A buffer of `data` (all items), or of one item of it.
static struct ebb_buffer *upload(struct ebb_device *d, float *data, size_t item_size,
                                 const struct gradient_run *job, int n)
{
    size_t from = job->item < 0 ? 0 : (size_t)job->item * item_size;
    struct ebb_buffer *b = buffer(d, data + from, item_size * (size_t)n);
    free(data);
    return b;
}

static float *input_values(const struct gradient_case *c, double shift)
{
    size_t count = (size_t)c->n * (size_t)c->h * (size_t)c->w * (size_t)c->c;
    float *x = random_floats(count, 10), *direction = gradient_direction(count);
    for (size_t i = 0; i < count; i++)
        x[i] += (float)(shift * direction[i]);
    free(direction);
    return x;
}

static float *run(const struct gradient_run *job, const struct gradient_case *c, size_t *count)
{
    struct ebb_error error = {0};
    struct pool pool = {.seed = 100};
    struct ebb_device *d = device(job->device, job->threads);
    if (!d)
        return NULL;
    int n = job->item < 0 ? c->n : 1, value[4], shape[4];
    struct ebb_graph *g = ebb_graph_create();
    struct ebb_node *x = ebb_input(g, n, c->h, c->w, c->c), *y = c->build(g, &pool, x);
    node_shape(y, value);
    struct ebb_node *seed = ebb_input(g, value[0], value[1], value[2], value[3]);
    struct ebb_node *out = job->gradient ? ebb_differentiate(g, y, seed, x) : y;
    node_shape(out, shape);
    ebb_output(g, out);

    *count = floats(shape);
    float *steps = random_floats((size_t)(c->n * c->vector), 13),
          *result = malloc((*count + 1) * sizeof(*result));
    size_t one = (size_t)c->h * (size_t)c->w * (size_t)c->c, all = floats(value) / (size_t)n * (size_t)c->n;
    struct ebb_buffer *in[2] = {upload(d, input_values(c, job->shift), one, job, n),
                                upload(d, gradient_seed(all), floats(value) / (size_t)n, job, n)};
    struct ebb_buffer *to = buffer(d, NULL, *count + 1);
    struct ebb_plan *plan = ebb_plan_create_with(d, g, job->flags, &error);
    bool good = plan &&
                (!c->vector || ebb_plan_steps(plan, 1, (const float *const[]){steps}, &error) == EBB_OK);
    good = good && ebb_plan_run(plan, 0, in, &to, &error) == EBB_OK;
    good = good && ebb_buffer_read(to, 0, result, *count, &error) == EBB_OK;
    if (!good) {
        printf("# %s on %s: %s\n", c->name, job->device, error.message);
        free(result);
        result = NULL;
    }
    free(steps);
    ebb_buffer_destroy(&in[0]);
    ebb_buffer_destroy(&in[1]);
    ebb_buffer_destroy(&to);
    ebb_plan_destroy(&plan);
    ebb_device_destroy(&d);
    pool_clear(&pool);
    return result;
}

float *gradient_value(const char *device_name, const struct gradient_case *c, double shift, size_t *count)
{
    return run(&(struct gradient_run){device_name, 1, -1, 0, shift, false}, c, count);
}

float *gradient_run(const char *device_name, int threads, const struct gradient_case *c, unsigned flags,
                    int item, size_t *count)
{
    return run(&(struct gradient_run){device_name, threads, item, flags, 0, true}, c, count);
}
