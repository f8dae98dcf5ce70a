// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/workspace.h"

#include <stdlib.h>

#include "audio/mel.h"
#include "base/base.h"
#include "model/vocoder_plan.h"
#include "model/words.h"

struct kept_reverse {
    struct kept_reverse *next;
    struct ebb_reverse *reverse;
};

struct ebb_workspace {
    struct kept_reverse *reverses;
    struct ebb_coder *coders;
    struct ebb_word_store *words;
    struct ebb_vocoder_plan *vocoder_plan;
    struct ebb_mel *mel;
    struct ebb_phase *phase;
    struct ebb_precision_known precision;
};

// ---- life ----

void ebb_workspace_destroy(struct ebb_workspace **owner)
{
    struct ebb_workspace *workspace = *owner;
    if (!workspace)
        return;
    *owner = NULL;
    while (workspace->reverses) {
        struct kept_reverse *kept = workspace->reverses;
        workspace->reverses = kept->next;
        ebb_reverse_destroy(&kept->reverse);
        free(kept);
    }
    ebb_coders_destroy(&workspace->coders);
    ebb_word_store_destroy(&workspace->words);
    ebb_vocoder_plan_destroy(&workspace->vocoder_plan);
    ebb_phase_destroy(&workspace->phase);
    ebb_mel_destroy(&workspace->mel);
    free(workspace);
}

enum ebb_result ebb_model_ready(struct ebb_model *model, struct ebb_error *error)
{
    enum ebb_result result = ebb_model_load(model, NULL, error);
    if (result != EBB_OK)
        return result;
    if (!model->workspace) {
        model->workspace = ebb_alloc(1, sizeof(struct ebb_workspace));
    }
    return model->workspace ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a workspace");
}

// ---- plans and tables ----

static int same_size(const struct ebb_reverse_size *a, const struct ebb_reverse_size *b)
{
    bool same = a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c &&
                a->condition == b->condition && a->window == b->window && a->bf16 == b->bf16 &&
                a->time_down == b->time_down;
    for (int i = 0; i < EBB_UNET_TEXTS; i++)
        same = same && a->tokens[i] == b->tokens[i] && a->masked[i] == b->masked[i];
    return same;
}

// Moves a model that does not fit on the GPU of "auto" to the CPU, as long as it has no buffers on the GPU.
static bool retreat(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_workspace *workspace = model->workspace;
    bool may = error->code == EBB_OUT_OF_MEMORY && !workspace->reverses && !workspace->coders &&
               !workspace->words && !workspace->vocoder_plan;
    struct ebb_device *cpu = may ? ebb_device_retreat(model->device, error->message) : NULL;
    if (!cpu)
        return false;
    model->workspace = NULL; // keeps loading from freeing it; it has nothing on the old device
    enum ebb_result result = ebb_model_load(model, cpu, error);
    model->workspace = workspace;
    ebb_device_destroy(&cpu);
    return result == EBB_OK;
}

// Rings have any number of columns, so that of theirs only the last one's plan is kept.
static void forget_rings(struct ebb_workspace *workspace)
{
    struct kept_reverse **at = &workspace->reverses;
    while (*at) {
        struct kept_reverse *kept = *at;
        bool ring = ebb_reverse_size(kept->reverse)->window > 0;
        if (!ring) {
            at = &kept->next;
            continue;
        }
        *at = kept->next;
        ebb_reverse_destroy(&kept->reverse);
        free(kept);
    }
}

struct ebb_reverse *ebb_workspace_reverse(struct ebb_model *model, const struct ebb_reverse_size *size,
                                          struct ebb_error *error)
{
    struct ebb_workspace *workspace = model->workspace;
    for (struct kept_reverse *kept = workspace->reverses; kept; kept = kept->next)
        if (same_size(ebb_reverse_size(kept->reverse), size))
            return kept->reverse;

    if (size->window > 0)
        forget_rings(workspace);
    struct kept_reverse *kept = ebb_alloc(1, sizeof(*kept));
    if (!kept) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a reverse process");
        return NULL;
    }
    kept->reverse = ebb_reverse_create(model->device, model->unet, size, error);
    if (!kept->reverse && retreat(model, error))
        kept->reverse = ebb_reverse_create(model->device, model->unet, size, error);
    if (!kept->reverse) {
        ebb_explain(error, "%s", model->info.path);
        free(kept);
        return NULL;
    }
    kept->next = workspace->reverses;
    workspace->reverses = kept;
    return kept->reverse;
}

enum ebb_result ebb_workspace_bf16(struct ebb_model *model, enum ebb_precision precision, bool *bf16,
                                   struct ebb_error *error)
{
    return ebb_precision_choose(model, precision, &model->workspace->precision, bf16, error);
}

struct ebb_mel *ebb_workspace_mel(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_workspace *workspace = model->workspace;
    if (!workspace->mel)
        workspace->mel = ebb_mel_create(&model->mel, error);
    return workspace->mel;
}

struct ebb_phase *ebb_workspace_phase(struct ebb_model *model, size_t frames, struct ebb_error *error)
{
    struct ebb_workspace *workspace = model->workspace;
    struct ebb_mel *mel = ebb_workspace_mel(model, error);
    if (!mel || (workspace->phase && workspace->phase->capacity >= frames))
        return mel ? workspace->phase : NULL;
    ebb_phase_destroy(&workspace->phase);
    workspace->phase = ebb_phase_create(mel->stft, frames);
    if (!workspace->phase)
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the phase of %zu frames", frames);
    return workspace->phase;
}

struct ebb_coder **ebb_workspace_coders(struct ebb_model *model)
{
    return &model->workspace->coders;
}

struct ebb_word_store **ebb_workspace_word_store(struct ebb_model *model)
{
    return &model->workspace->words;
}

struct ebb_vocoder_plan **ebb_workspace_vocoder_plan(struct ebb_model *model)
{
    return &model->workspace->vocoder_plan;
}
