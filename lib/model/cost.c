// SPDX-License-Identifier: LGPL-2.1-or-later
// What a sound of a model costs. Graphs are built for it and thrown away; no weight is read.
#include <stdlib.h>

#include "base/base.h"
#include "graph/cost.h"
#include "model/model_files.h"
#include "nets/unet2d.h"

enum { WORDS = 77 }; // tokens of a text, of networks that see any number

typedef enum ebb_result (*build_graph)(const struct ebb_model *model, struct ebb_graph *graph,
                                       struct ebb_error *error);

static enum ebb_result build_unet(const struct ebb_model *model, struct ebb_graph *graph,
                                  struct ebb_error *error)
{
    struct ebb_unet_shape shape = {.n = 1, .h = model->state[1], .w = model->state[2]};
    shape.condition = model->conditioned ? model->state[0] : 0;
    shape.turned = model->time_down;
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        if (ebb_unet_text_width(model->unet, i) && !(i == 0 && ebb_unet_may_lack_text(model->unet)))
            shape.tokens[i] = model->info.encoding                ? 1
                              : i == 0 && model->language != NULL ? ebb_text_encoder_follow(model->language)
                                                                  : WORDS;
    return ebb_unet_build(model->unet, graph, &shape, error);
}

static enum ebb_result build_decoder(const struct ebb_model *model, struct ebb_graph *graph,
                                     struct ebb_error *error)
{
    int h = model->time_down ? model->state[2] : model->state[1];
    int w = model->time_down ? model->state[1] : model->state[2];
    return ebb_decoder_build(model->vae, graph, 1, h, w, error);
}

static enum ebb_result build_vocoder(const struct ebb_model *model, struct ebb_graph *graph,
                                     struct ebb_error *error)
{
    return ebb_vocoder_build(model->vocoder, graph, 1, model->info.window_frames, error);
}

static enum ebb_result cost_of(const struct ebb_model *model, build_graph build, struct ebb_graph_cost *cost,
                               struct ebb_error *error)
{
    struct ebb_graph *graph = ebb_graph_create();
    enum ebb_result result = graph ? build(model, graph, error)
                                   : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a graph");
    if (result == EBB_OK)
        result = ebb_graph_cost(graph, cost, error);
    ebb_graph_destroy(&graph);
    return result;
}

enum ebb_result ebb_model_cost(const struct ebb_model *model, struct ebb_model_cost *cost,
                               struct ebb_error *error)
{
    struct ebb_graph_cost unet = {0}, decoder = {0}, vocoder = {0};
    error = EBB_ERROR(error);
    enum ebb_result result = cost_of(model, build_unet, &unet, error);
    if (result == EBB_OK && model->vae)
        result = cost_of(model, build_decoder, &decoder, error);
    if (result == EBB_OK && model->vocoder)
        result = cost_of(model, build_vocoder, &vocoder, error);
    *cost = (struct ebb_model_cost){.evaluation = unet.multiply_adds,
                                    .after = decoder.multiply_adds + vocoder.multiply_adds,
                                    .working_bytes = unet.bytes + decoder.bytes + vocoder.bytes};
    for (int i = 0; i < EBB_PARTS; i++)
        if (model->files->network[i])
            cost->weight_bytes += (double)ebb_weight_files_bytes(model->files->network[i]->files);
    return result;
}
