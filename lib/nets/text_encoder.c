// SPDX-License-Identifier: LGPL-2.1-or-later
// Four encoders of one build: embeddings, layers of attention and a small network each, a last norm. They
// differ in where the norms are, in what a token sees, and in how positions enter.
#include "nets/text_encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

struct text_layer {
    struct ebb_layer norm1, q, k, v, out; // GPT-2: q holds all three
    struct ebb_layer norm2, up, gate, down;
};

struct ebb_text_encoder {
    struct ebb_text_config config;
    struct ebb_weights weights;
    struct ebb_weight *tokens, *positions, *types;
    struct ebb_weight *relative; // T5: a row per bucket, a number per head
    struct ebb_layer first_norm, last_norm;
    struct ebb_layer pool, project1, project2; // of the state of the text
    struct text_layer layer[EBB_TEXT_LAYERS];
};

// ---- weights ----

static struct ebb_layer want_weight(struct ebb_weights *weights, int cin, int cout, const char *prefix,
                                    const char *name)
{
    return (struct ebb_layer){ebb_want_matrix(weights, cout, cin, prefix, name), NULL};
}

static void want_clip(struct ebb_text_encoder *e)
{
    const struct ebb_text_config *c = &e->config;
    struct ebb_weights *w = &e->weights;
    const char *embeddings = "text_model.embeddings.";
    e->tokens = ebb_want_matrix(w, c->vocabulary, c->width, embeddings, "token_embedding.weight");
    e->positions = ebb_want(w, 2, c->positions, c->width, 1, embeddings, "position_embedding.weight");
    for (int i = 0; i < c->layers; i++) {
        struct text_layer *l = &e->layer[i];
        char at[64];
        snprintf(at, sizeof(at), "text_model.encoder.layers.%d.", i);
        l->norm1 = ebb_want_norm(w, c->width, at, "layer_norm1");
        l->q = ebb_want_linear(w, c->width, c->width, at, "self_attn.q_proj");
        l->k = ebb_want_linear(w, c->width, c->width, at, "self_attn.k_proj");
        l->v = ebb_want_linear(w, c->width, c->width, at, "self_attn.v_proj");
        l->out = ebb_want_linear(w, c->width, c->width, at, "self_attn.out_proj");
        l->norm2 = ebb_want_norm(w, c->width, at, "layer_norm2");
        l->up = ebb_want_linear(w, c->width, c->inner, at, "mlp.fc1");
        l->down = ebb_want_linear(w, c->inner, c->width, at, "mlp.fc2");
    }
    e->last_norm = ebb_want_norm(w, c->width, "", "text_model.final_layer_norm");
    if (c->projection)
        e->project1 = want_weight(w, c->width, c->projection, "", "text_projection.weight");
}

static void want_roberta(struct ebb_text_encoder *e)
{
    const struct ebb_text_config *c = &e->config;
    struct ebb_weights *w = &e->weights;
    const char *embeddings = "text_model.embeddings.";
    e->tokens = ebb_want_matrix(w, c->vocabulary, c->width, embeddings, "word_embeddings.weight");
    e->positions = ebb_want(w, 2, c->positions, c->width, 1, embeddings, "position_embeddings.weight");
    e->types = ebb_want(w, 2, c->types, c->width, 1, embeddings, "token_type_embeddings.weight");
    e->first_norm = ebb_want_norm(w, c->width, embeddings, "LayerNorm");
    for (int i = 0; i < c->layers; i++) {
        struct text_layer *l = &e->layer[i];
        char at[64];
        snprintf(at, sizeof(at), "text_model.encoder.layer.%d.", i);
        l->q = ebb_want_linear(w, c->width, c->width, at, "attention.self.query");
        l->k = ebb_want_linear(w, c->width, c->width, at, "attention.self.key");
        l->v = ebb_want_linear(w, c->width, c->width, at, "attention.self.value");
        l->out = ebb_want_linear(w, c->width, c->width, at, "attention.output.dense");
        l->norm1 = ebb_want_norm(w, c->width, at, "attention.output.LayerNorm");
        l->up = ebb_want_linear(w, c->width, c->inner, at, "intermediate.dense");
        l->down = ebb_want_linear(w, c->inner, c->width, at, "output.dense");
        l->norm2 = ebb_want_norm(w, c->width, at, "output.LayerNorm");
    }
    e->pool = ebb_want_linear(w, c->width, c->width, "", "text_model.pooler.dense");
    if (c->projection) {
        e->project1 = ebb_want_linear(w, c->width, c->projection, "", "text_projection.linear1");
        e->project2 = ebb_want_linear(w, c->projection, c->projection, "", "text_projection.linear2");
    }
}

static void want_t5(struct ebb_text_encoder *e)
{
    const struct ebb_text_config *c = &e->config;
    struct ebb_weights *w = &e->weights;
    int inner = c->heads * c->head_width;
    e->tokens = ebb_want_matrix(w, c->vocabulary, c->width, "", "shared.weight");
    for (int i = 0; i < c->layers; i++) {
        struct text_layer *l = &e->layer[i];
        char at[64], net[64];
        snprintf(at, sizeof(at), "encoder.block.%d.layer.0.", i);
        snprintf(net, sizeof(net), "encoder.block.%d.layer.1.", i);
        l->q = want_weight(w, c->width, inner, at, "SelfAttention.q.weight");
        l->k = want_weight(w, c->width, inner, at, "SelfAttention.k.weight");
        l->v = want_weight(w, c->width, inner, at, "SelfAttention.v.weight");
        l->out = want_weight(w, inner, c->width, at, "SelfAttention.o.weight");
        if (i == 0)
            e->relative = ebb_want(w, 2, c->buckets, c->heads, 1, at,
                                   "SelfAttention.relative_attention_bias.weight");
        l->norm1.weight = ebb_want(w, 1, c->width, 1, 1, at, "layer_norm.weight");
        l->up = want_weight(w, c->width, c->inner, net,
                            c->gated ? "DenseReluDense.wi_0.weight" : "DenseReluDense.wi.weight");
        if (c->gated)
            l->gate = want_weight(w, c->width, c->inner, net, "DenseReluDense.wi_1.weight");
        l->down = want_weight(w, c->inner, c->width, net, "DenseReluDense.wo.weight");
        l->norm2.weight = ebb_want(w, 1, c->width, 1, 1, net, "layer_norm.weight");
    }
    e->last_norm.weight = ebb_want(w, 1, c->width, 1, 1, "", "encoder.final_layer_norm.weight");
}

// Its layers are stored the other way round, (cin, cout).
static struct ebb_layer want_turned(struct ebb_weights *weights, int cin, int cout, const char *prefix,
                                    const char *name)
{
    struct ebb_layer layer = ebb_want_linear(weights, cin, cout, prefix, name);
    if (!weights->failed)
        weights->items[weights->count - 2]->transposed = true; // the bias is the last
    return layer;
}

static void want_gpt2(struct ebb_text_encoder *e)
{
    const struct ebb_text_config *c = &e->config;
    struct ebb_weights *w = &e->weights;
    e->tokens = ebb_want_matrix(w, c->vocabulary, c->width, "", "wte.weight");
    e->positions = ebb_want(w, 2, c->positions, c->width, 1, "", "wpe.weight");
    for (int i = 0; i < c->layers; i++) {
        struct text_layer *l = &e->layer[i];
        char at[64];
        snprintf(at, sizeof(at), "h.%d.", i);
        l->norm1 = ebb_want_norm(w, c->width, at, "ln_1");
        l->q = want_turned(w, c->width, 3 * c->width, at, "attn.c_attn");
        l->out = want_turned(w, c->width, c->width, at, "attn.c_proj");
        l->norm2 = ebb_want_norm(w, c->width, at, "ln_2");
        l->up = want_turned(w, c->width, c->inner, at, "mlp.c_fc");
        l->down = want_turned(w, c->inner, c->width, at, "mlp.c_proj");
    }
    e->last_norm = ebb_want_norm(w, c->width, "", "ln_f");
}

// ---- life ----

struct ebb_text_encoder *ebb_text_encoder_create(const struct ebb_text_config *config,
                                                 struct ebb_error *error)
{
    static void (*const want[])(struct ebb_text_encoder * e) = {
        [EBB_TEXT_CLIP] = want_clip,
        [EBB_TEXT_ROBERTA] = want_roberta,
        [EBB_TEXT_T5] = want_t5,
        [EBB_TEXT_GPT2] = want_gpt2,
    };
    struct ebb_text_encoder *e = ebb_alloc(1, sizeof(*e));
    if (e) {
        e->config = *config;
        want[config->kind](e);
    }
    if (e && !e->weights.failed)
        return e;
    ebb_text_encoder_destroy(&e);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

void ebb_text_encoder_destroy(struct ebb_text_encoder **encoder)
{
    struct ebb_text_encoder *e = *encoder;
    *encoder = NULL;
    if (!e)
        return;
    ebb_weights_clear(&e->weights);
    free(e);
}

struct ebb_weights *ebb_text_encoder_weights(struct ebb_text_encoder *encoder)
{
    return &encoder->weights;
}

int ebb_text_encoder_width(const struct ebb_text_encoder *encoder)
{
    return encoder->config.width;
}

int ebb_text_encoder_vocabulary(const struct ebb_text_encoder *encoder)
{
    return encoder->config.vocabulary;
}

bool ebb_text_encoder_is_relative(const struct ebb_text_encoder *encoder)
{
    return encoder->relative != NULL;
}

int ebb_text_encoder_pooled(const struct ebb_text_encoder *encoder)
{
    const struct ebb_text_config *c = &encoder->config;
    bool pools = c->kind == EBB_TEXT_CLIP || c->kind == EBB_TEXT_ROBERTA;
    return !pools ? 0 : c->projection ? c->projection : c->width;
}

int ebb_text_encoder_longest(const struct ebb_text_encoder *encoder)
{
    const struct ebb_text_config *c = &encoder->config;
    return c->kind == EBB_TEXT_T5        ? EBB_TEXT_LONGEST
           : c->kind == EBB_TEXT_ROBERTA ? c->positions - c->pad - 1
                                         : c->positions;
}

int ebb_text_encoder_follow(const struct ebb_text_encoder *encoder)
{
    return encoder->config.follow;
}

// ---- graph ----

static struct ebb_node *linear(struct ebb_graph *g, struct ebb_node *x, const struct ebb_layer *layer)
{
    return ebb_linear(g, x, layer->weight, layer->bias);
}

static struct ebb_node *norm(struct ebb_graph *g, const struct ebb_text_encoder *e, struct ebb_node *x,
                             const struct ebb_layer *layer)
{
    return e->config.kind == EBB_TEXT_T5 ? ebb_rms_norm(g, x, e->config.eps, layer->weight)
                                         : ebb_layer_norm(g, x, e->config.eps, layer->weight, layer->bias);
}

static struct ebb_node *attend(struct ebb_graph *g, const struct ebb_text_encoder *e,
                               const struct text_layer *l, struct ebb_node *x, struct ebb_node *bias)
{
    const struct ebb_text_config *c = &e->config;
    bool fused = c->kind == EBB_TEXT_GPT2;
    struct ebb_attention_terms terms = {.heads = c->heads,
                                        .scale = c->kind == EBB_TEXT_T5 ? 1 : 0,
                                        .causal = c->kind == EBB_TEXT_CLIP || fused,
                                        .bias = bias};
    struct ebb_node *all = fused ? linear(g, x, &l->q) : NULL;
    struct ebb_node *q = fused ? ebb_slice(g, all, 0, c->width) : linear(g, x, &l->q);
    struct ebb_node *k = fused ? ebb_slice(g, all, c->width, c->width) : linear(g, x, &l->k);
    struct ebb_node *v = fused ? ebb_slice(g, all, 2 * c->width, c->width) : linear(g, x, &l->v);
    return linear(g, ebb_attention_with(g, q, k, v, &terms), &l->out);
}

static struct ebb_node *inner(struct ebb_graph *g, const struct ebb_text_encoder *e,
                              const struct text_layer *l, struct ebb_node *x)
{
    struct ebb_node *h = linear(g, x, &l->up);
    h = l->gate.weight ? ebb_gate(g, linear(g, x, &l->gate), h, e->config.act)
                       : ebb_activate(g, h, e->config.act);
    return linear(g, h, &l->down);
}

static struct ebb_node *layer(struct ebb_graph *g, const struct ebb_text_encoder *e,
                              const struct text_layer *l, struct ebb_node *x, struct ebb_node *bias)
{
    if (e->config.kind == EBB_TEXT_ROBERTA) {
        x = norm(g, e, ebb_add(g, attend(g, e, l, x, bias), x), &l->norm1);
        return norm(g, e, ebb_add(g, inner(g, e, l, x), x), &l->norm2);
    }
    x = ebb_add(g, attend(g, e, l, norm(g, e, x, &l->norm1), bias), x);
    return ebb_add(g, inner(g, e, l, norm(g, e, x, &l->norm2)), x);
}

// The state of one token of each text: attention that sees nothing else.
static struct ebb_node *pick(struct ebb_graph *g, struct ebb_node *x, int n, int tokens)
{
    struct ebb_attention_terms terms = {.heads = 1, .bias = ebb_step_input(g, n, tokens)};
    return ebb_attention_with(g, ebb_mean(g, x), x, x, &terms);
}

static struct ebb_node *pooled(struct ebb_graph *g, const struct ebb_text_encoder *e, struct ebb_node *x,
                               int n, int tokens)
{
    struct ebb_node *p = pick(g, x, n, tokens);
    if (e->pool.weight)
        p = ebb_activate(g, linear(g, p, &e->pool), EBB_ACT_TANH);
    if (e->project1.weight)
        p = linear(g, p, &e->project1);
    if (e->project2.weight)
        p = linear(g, ebb_activate(g, p, e->config.projection_act), &e->project2);
    return p;
}

enum ebb_result ebb_text_encoder_build(const struct ebb_text_encoder *e, struct ebb_graph *g, int n,
                                       int tokens, struct ebb_error *error)
{
    int shape[4];
    if (tokens < 1 || tokens > ebb_text_encoder_longest(e))
        return ebb_fail(error, EBB_INVALID, "a text of %d tokens, the text encoder takes 1 to %d", tokens,
                        ebb_text_encoder_longest(e));
    struct ebb_node *x = ebb_input(g, n, 1, tokens, e->config.width), *bias = NULL;
    if (ebb_text_encoder_bias_shape(e, n, tokens, shape) > 0)
        bias = e->relative ? ebb_input(g, shape[0], shape[1], shape[2], shape[3])
                           : ebb_step_input(g, n, tokens);
    if (e->first_norm.weight)
        x = norm(g, e, x, &e->first_norm);
    for (int i = 0; i < e->config.layers; i++)
        x = layer(g, e, &e->layer[i], x, bias);
    if (e->last_norm.weight)
        x = norm(g, e, x, &e->last_norm);
    ebb_output(g, x);
    if (ebb_text_encoder_pooled(e) > 0)
        ebb_output(g, pooled(g, e, x, n, tokens));
    return ebb_graph_failed(g, error);
}

// ---- what the graph is given ----

static const float unseen = -1e30f; // added to the score of a key

static const float *row_of(const struct ebb_weight *table, int row)
{
    return table->data + (size_t)row * (size_t)table->cin;
}

static void add_row(float *to, const float *row, int count)
{
    for (int i = 0; i < count; i++)
        to[i] += row[i];
}

// RoBERTa counts the tokens that are seen, behind the pad's own number.
static int position_of(const struct ebb_text_config *c, const int *ids, int at)
{
    if (c->kind != EBB_TEXT_ROBERTA)
        return at;
    int seen = 0;
    for (int i = 0; i <= at; i++)
        seen += ids[i] != c->pad;
    return ids[at] == c->pad ? c->pad : seen + c->pad;
}

void ebb_text_encoder_embed(const struct ebb_text_encoder *e, const int *ids, int tokens, float *rows)
{
    const struct ebb_text_config *c = &e->config;
    for (int i = 0; i < tokens; i++) {
        float *row = rows + (size_t)i * (size_t)c->width;
        ebb_weight_row(e->tokens, ids[i], row);
        if (e->types)
            add_row(row, row_of(e->types, 0), c->width);
        if (e->positions)
            add_row(row, row_of(e->positions, position_of(c, ids, i)), c->width);
    }
}

void ebb_text_encoder_place(const struct ebb_text_encoder *e, int tokens, float *rows)
{
    for (int i = 0; i < tokens && e->positions; i++)
        add_row(rows + (size_t)i * (size_t)e->config.width, row_of(e->positions, i), e->config.width);
}

size_t ebb_text_encoder_bias_shape(const struct ebb_text_encoder *e, int n, int tokens, int shape[4])
{
    const struct ebb_text_config *c = &e->config;
    bool relative = c->kind == EBB_TEXT_T5;
    shape[0] = n;
    shape[1] = relative ? c->heads : 1;
    shape[2] = relative ? tokens : 1;
    shape[3] = tokens;
    return c->kind == EBB_TEXT_CLIP
               ? 0
               : (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
}

// T5's number for a distance: near ones have their own, far ones share.
static int bucket_of(const struct ebb_text_config *c, int distance)
{
    int half = c->buckets / 2, exact = half / 2, far = abs(distance), bucket = distance > 0 ? half : 0;
    if (far < exact)
        return bucket + far;
    float share = logf((float)far / (float)exact) / (float)log((double)c->distance / exact);
    int large = exact + (int)(share * (float)(half - exact));
    return bucket + (large < half - 1 ? large : half - 1);
}

// One text's rows of the bias; `seen` (may be NULL) tells for each token whether it is seen.
void ebb_text_encoder_bias(const struct ebb_text_encoder *e, const bool *seen, int tokens, float *bias)
{
    const struct ebb_text_config *c = &e->config;
    int heads = c->kind == EBB_TEXT_T5 ? c->heads : 1, queries = c->kind == EBB_TEXT_T5 ? tokens : 1;
    for (int head = 0; head < heads; head++)
        for (int q = 0; q < queries; q++)
            for (int k = 0; k < tokens; k++) {
                float near = e->relative ? row_of(e->relative, bucket_of(c, k - q))[head] : 0;
                *bias++ = seen && !seen[k] ? unseen : near;
            }
}

// The token whose state stands for the text.
static int stands_for_text(const struct ebb_text_config *c, const int *ids, int tokens)
{
    if (c->kind != EBB_TEXT_CLIP)
        return 0;
    int best = 0;
    for (int i = 0; i < tokens; i++) {
        if (c->end >= 0 && ids[i] == c->end)
            return i;
        if (c->end < 0 && ids[i] > ids[best])
            best = i;
    }
    return best;
}

void ebb_text_encoder_pick(const struct ebb_text_encoder *e, const int *ids, int tokens, float *row)
{
    int picked = stands_for_text(&e->config, ids, tokens);
    for (int i = 0; i < tokens; i++)
        row[i] = i == picked ? 0 : unseen;
}

bool ebb_text_encoder_sees(const struct ebb_text_encoder *e, int id)
{
    return e->config.kind == EBB_TEXT_CLIP || id != e->config.pad;
}

// ---- AudioLDM 2's layers ----

struct ebb_text_projection {
    struct ebb_text_projection_config config;
    struct ebb_weights weights;
    struct ebb_layer project[2];
    struct ebb_weight *ends[4]; // begin and end of the first text, of the second
};

struct ebb_text_projection *ebb_text_projection_create(const struct ebb_text_projection_config *config,
                                                       struct ebb_error *error)
{
    static const char *const names[] = {"sos_embed", "eos_embed", "sos_embed_1", "eos_embed_1"};
    struct ebb_text_projection *p = ebb_alloc(1, sizeof(*p));
    if (p) {
        p->config = *config;
        p->project[0] = ebb_want_linear(&p->weights, config->width[0], config->out, "", "projection");
        p->project[1] = ebb_want_linear(&p->weights, config->width[1], config->out, "", "projection_1");
        for (int i = 0; i < 4; i++)
            p->ends[i] = ebb_want(&p->weights, 1, config->out, 1, 1, "", names[i]);
    }
    if (p && !p->weights.failed)
        return p;
    ebb_text_projection_destroy(&p);
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the network");
    return NULL;
}

void ebb_text_projection_destroy(struct ebb_text_projection **projection)
{
    struct ebb_text_projection *p = *projection;
    *projection = NULL;
    if (!p)
        return;
    ebb_weights_clear(&p->weights);
    free(p);
}

struct ebb_weights *ebb_text_projection_weights(struct ebb_text_projection *projection)
{
    return &projection->weights;
}

void ebb_text_projection_widths(const struct ebb_text_projection *p, int widths[3])
{
    widths[0] = p->config.width[0];
    widths[1] = p->config.width[1];
    widths[2] = p->config.out;
}

const float *ebb_text_projection_end(const struct ebb_text_projection *p, int end)
{
    return p->ends[end]->data;
}

enum ebb_result ebb_text_projection_build(const struct ebb_text_projection *p, struct ebb_graph *g, int n,
                                          const int tokens[2], struct ebb_error *error)
{
    for (int i = 0; i < 2; i++)
        ebb_output(g, linear(g, ebb_input(g, n, 1, tokens[i], p->config.width[i]), &p->project[i]));
    return ebb_graph_failed(g, error);
}
