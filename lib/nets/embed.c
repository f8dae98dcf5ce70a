// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nets/embed.h"

#include <math.h>
#include <string.h>

#include "nets/unet2d.h"

static int own_width(const struct ebb_unet_config *c)
{
    bool halves = c->time == EBB_TIME_FOURIER && c->fourier_of_time;
    return c->time_embedding_dim ? c->time_embedding_dim : (halves ? 2 : 4) * c->block_out_channels[0];
}

static void want_time(struct ebb_embed *e, struct ebb_weights *weights, const struct ebb_unet_config *c)
{
    int first = c->block_out_channels[0], frequencies = c->fourier_of_time ? e->own / 2 : first;
    e->time_input = c->time == EBB_TIME_FOURIER ? 2 * frequencies : first;
    if (c->time == EBB_TIME_FOURIER)
        e->time_table = ebb_want(weights, 1, frequencies, 1, 1, "", "time_proj.weight");
    if (c->time == EBB_TIME_LEARNED)
        e->time_table = ebb_want(weights, 2, c->num_train_timesteps, first, 1, "", "time_proj.weight");
    e->time1 = ebb_want_linear(weights, e->time_input, e->own, "", "time_embedding.linear_1");
    e->time2 = ebb_want_linear(weights, e->own, e->own, "", "time_embedding.linear_2");
}

static void want_classes(struct ebb_embed *e, struct ebb_weights *weights, const struct ebb_unet_config *c)
{
    bool projected = c->classes == EBB_CLASS_PROJECTION || c->classes == EBB_CLASS_SIMPLE_PROJECTION;
    e->class_input = c->classes == EBB_CLASS_TIMESTEP ? e->time_input : projected ? c->class_vector : e->own;
    if (c->classes == EBB_CLASS_TABLE)
        e->class_table = ebb_want(weights, 2, c->num_class_embeds, e->own, 1, "", "class_embedding.weight");
    if (c->classes == EBB_CLASS_SIMPLE_PROJECTION)
        e->class1 = ebb_want_linear(weights, e->class_input, e->own, "", "class_embedding");
    if (c->classes == EBB_CLASS_TIMESTEP || c->classes == EBB_CLASS_PROJECTION) {
        e->class1 = ebb_want_linear(weights, e->class_input, e->own, "", "class_embedding.linear_1");
        e->class2 = ebb_want_linear(weights, e->own, e->own, "", "class_embedding.linear_2");
    }
}

void ebb_want_embed(struct ebb_embed *e, struct ebb_weights *weights, const struct ebb_unet_config *c)
{
    e->config = c;
    e->own = own_width(c);
    e->width = c->classes_beside ? 2 * e->own : e->own;
    want_time(e, weights, c);
    if (c->classes != EBB_CLASS_NONE)
        want_classes(e, weights, c);
}

static struct ebb_node *two_layers(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *first,
                                   enum ebb_act act, const struct ebb_layer *second)
{
    x = ebb_activate(g, ebb_linear(g, x, first->weight, first->bias), act);
    return ebb_linear(g, x, second->weight, second->bias);
}

// diffusers activates a projected vector by SiLU, whatever "act_fn" is.
static struct ebb_node *classes(struct ebb_graph *g, const struct ebb_embed *e, int n)
{
    struct ebb_node *x = ebb_step_input(g, n, e->class_input);
    bool projected = e->config->classes == EBB_CLASS_PROJECTION;
    if (e->class2.weight)
        return two_layers(g, x, &e->class1, projected ? EBB_ACT_SILU : e->config->embed_act, &e->class2);
    return e->class1.weight ? ebb_linear(g, x, e->class1.weight, e->class1.bias) : x;
}

struct ebb_node *ebb_embed(struct ebb_graph *g, const struct ebb_embed *e, int n)
{
    const struct ebb_unet_config *c = e->config;
    struct ebb_node *x = two_layers(g, ebb_step_input(g, n, e->time_input), &e->time1, c->embed_act,
                                    &e->time2);
    x = ebb_activate(g, x, c->time_act);
    if (e->class_input)
        x = (c->classes_beside ? ebb_concat : ebb_add)(g, x, classes(g, e, n));
    return ebb_activate(g, x, c->last_act);
}

// float32 throughout, as upstream: at timestep 999 the rounding of the argument is what decides the last
// digits.
static void positional(const struct ebb_unet_config *c, float t, float *row)
{
    int width = c->block_out_channels[0], half = width / 2;
    float *sines = row + (c->flip_sin_to_cos ? half : 0), *cosines = row + (c->flip_sin_to_cos ? 0 : half);
    for (int k = 0; k < half; k++) {
        float frequency = expf((float)-log(10000) * (float)k / (float)(half - c->freq_shift));
        sines[k] = sinf(t * frequency);
        cosines[k] = cosf(t * frequency);
    }
    if (width % 2)
        row[width - 1] = 0;
}

static void fourier(const struct ebb_embed *e, float t, float *row)
{
    int count = e->time_table->cout;
    bool flip = e->config->fourier_of_time && e->config->flip_sin_to_cos;
    float x = e->config->fourier_of_time ? t : logf(t);
    float *sines = row + (flip ? count : 0), *cosines = row + (flip ? 0 : count);
    for (int k = 0; k < count; k++) {
        float arg = x * e->time_table->data[k] * 2 * (float)M_PI;
        sines[k] = sinf(arg);
        cosines[k] = cosf(arg);
    }
}

static void table_row(const struct ebb_weight *table, int index, float *row)
{
    index = index < 0 ? 0 : index < table->cout ? index : table->cout - 1;
    memcpy(row, table->data + (size_t)index * (size_t)table->cin, (size_t)table->cin * sizeof(*row));
}

void ebb_embed_time(const struct ebb_embed *e, double timestep, float *row)
{
    if (e->config->time == EBB_TIME_POSITIONAL)
        positional(e->config, (float)timestep, row);
    else if (e->config->time == EBB_TIME_FOURIER)
        fourier(e, (float)timestep, row);
    else
        table_row(e->time_table, (int)lrint(fmin(fmax(timestep, 0), 1e9)), row);
}

int ebb_embed_class_vector(const struct ebb_embed *e)
{
    return e->config->classes == EBB_CLASS_TIMESTEP ? 1 : e->class_input;
}

void ebb_embed_class(const struct ebb_embed *e, int label, const float *vector, float *row)
{
    memset(row, 0, (size_t)e->class_input * sizeof(*row));
    if (e->config->classes == EBB_CLASS_TIMESTEP) {
        if (vector || label >= 0)
            ebb_embed_time(e, vector ? vector[0] : label, row);
    } else if (e->config->classes == EBB_CLASS_TABLE) {
        if (vector)
            memcpy(row, vector, (size_t)e->class_input * sizeof(*row));
        else if (label >= 0)
            table_row(e->class_table, label, row);
    } else if (vector) {
        memcpy(row, vector, (size_t)e->class_input * sizeof(*row));
    }
}
