#include "nets/embed.h"

#include <math.h>
#include <string.h>

#include "nets/unet2d.h"

void ebb_want_embed(struct ebb_embed *e, struct ebb_weights *weights, const struct ebb_unet_config *c)
{
    int first = c->block_out_channels[0];
    e->config = c;
    e->width = c->time_embedding_dim ? c->time_embedding_dim : 4 * first;
    e->time_input = c->time == EBB_TIME_FOURIER ? 2 * first : first;
    if (c->time == EBB_TIME_FOURIER)
        e->time_table = ebb_want(weights, 1, first, 1, 1, "", "time_proj.weight");
    if (c->time == EBB_TIME_LEARNED)
        e->time_table = ebb_want(weights, 2, c->num_train_timesteps, first, 1, "", "time_proj.weight");
    e->time1 = ebb_want_linear(weights, e->time_input, e->width, "", "time_embedding.linear_1");
    e->time2 = ebb_want_linear(weights, e->width, e->width, "", "time_embedding.linear_2");

    if (c->classes != EBB_CLASS_NONE)
        e->class_input = c->classes == EBB_CLASS_TIMESTEP ? e->time_input : e->width;
    if (c->classes == EBB_CLASS_TABLE)
        e->class_table = ebb_want(weights, 2, c->num_class_embeds, e->width, 1, "", "class_embedding.weight");
    if (c->classes == EBB_CLASS_TIMESTEP) {
        e->class1 = ebb_want_linear(weights, e->time_input, e->width, "", "class_embedding.linear_1");
        e->class2 = ebb_want_linear(weights, e->width, e->width, "", "class_embedding.linear_2");
    }
}

static struct ebb_node *two_layers(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *first,
                                   const struct ebb_layer *second)
{
    x = ebb_activate(g, ebb_linear(g, x, first->weight, first->bias), EBB_ACT_SILU);
    return ebb_linear(g, x, second->weight, second->bias);
}

struct ebb_node *ebb_embed(struct ebb_graph *g, const struct ebb_embed *e, int n)
{
    struct ebb_node *time = two_layers(g, ebb_step_input(g, n, e->time_input), &e->time1, &e->time2);
    if (!e->class_input)
        return time;

    struct ebb_node *class = ebb_step_input(g, n, e->class_input);
    if (e->class1.weight)
        class = two_layers(g, class, &e->class1, &e->class2);
    return ebb_add(g, time, class);
}

// float32 throughout, as upstream: at timestep 999 the rounding of the argument is what decides the last digits.
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
    float x = logf(t);
    for (int k = 0; k < count; k++) {
        float arg = x * e->time_table->data[k] * 2 * (float)M_PI;
        row[k] = sinf(arg);
        row[count + k] = cosf(arg);
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

void ebb_embed_class(const struct ebb_embed *e, int label, const float *vector, float *row)
{
    memset(row, 0, (size_t)e->class_input * sizeof(*row));
    if (e->config->classes == EBB_CLASS_TABLE && label >= 0)
        table_row(e->class_table, label, row);
    if (e->config->classes == EBB_CLASS_TIMESTEP && (vector || label >= 0))
        ebb_embed_time(e, vector ? vector[0] : label, row);
    if (e->config->classes == EBB_CLASS_IDENTITY && vector)
        memcpy(row, vector, (size_t)e->class_input * sizeof(*row));
}
