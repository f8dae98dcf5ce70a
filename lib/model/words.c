// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/words.h"

#include <stdlib.h>
#include <string.h>

#include "backend/device.h"
#include "base/base.h"
#include "model/known_words.h"
#include "model/model_files.h"
#include "model/prompt.h"

struct encoding { // of one prompt
    struct encoding *next;
    char *text;
    int tokens; // as ebb_prompt_encode() takes them
    struct ebb_prompt prompt;
};

enum { KEPT = 32, PLACES = EBB_GUIDANCE_LABELS + 1 };

struct ebb_word_store {
    struct encoding *first; // the last one that was asked for
    struct ebb_prompt_plans *plans;
    float *known; // vectors of the prompts that ebb.json lists; NULL before they are asked for
    struct ebb_prompt made[PLACES]; // of a batch: places between two prompts, and prompts that were filled up
};

// ---- life ----

static void free_encoding(struct encoding *e)
{
    ebb_prompt_clear(&e->prompt);
    free(e->text);
    free(e);
}

void ebb_word_store_destroy(struct ebb_word_store **store)
{
    struct ebb_word_store *s = *store;
    *store = NULL;
    if (!s)
        return;
    while (s->first) {
        struct encoding *gone = s->first;
        s->first = gone->next;
        free_encoding(gone);
    }
    for (int i = 0; i < PLACES; i++)
        ebb_prompt_clear(&s->made[i]);
    ebb_prompt_plans_destroy(&s->plans);
    free(s->known);
    free(s);
}

static struct ebb_word_store *store_of(struct ebb_model *model, struct ebb_error *error)
{
    struct ebb_word_store **store = ebb_workspace_word_store(model);
    if (!*store)
        *store = ebb_alloc(1, sizeof(**store));
    if (*store && !(*store)->plans)
        (*store)->plans = ebb_prompt_plans_create();
    if (*store && (*store)->plans)
        return *store;
    ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for prompts");
    return NULL;
}

// ---- a prompt ----

static void forget_oldest(struct ebb_word_store *store)
{
    struct encoding **at = &store->first;
    for (int i = 0; i < KEPT && *at; i++)
        at = &(*at)->next;
    while (*at) {
        struct encoding *gone = *at;
        *at = gone->next;
        free_encoding(gone);
    }
}

static struct encoding *encode(struct ebb_word_store *store, struct ebb_model *model, const char *text,
                               int tokens, struct ebb_error *error)
{
    struct encoding *e = ebb_alloc(1, sizeof(*e));
    if (e)
        e->tokens = tokens;
    enum ebb_result result = e && (e->text = strdup(text))
                                 ? ebb_model_load_words(model, error)
                                 : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a prompt");
    if (result == EBB_OK)
        result = ebb_prompt_encode(store->plans, model, text, tokens, &e->prompt, error);
    if (result == EBB_OK)
        return e;
    if (e)
        free_encoding(e);
    return NULL;
}

// ---- words that nothing was called by ----

static enum ebb_result encode_listed(struct ebb_word_store *store, const struct ebb_model *model,
                                     struct ebb_error *error)
{
    size_t count = (size_t)model->files->prompt_count,
           width = (size_t)ebb_text_encoder_pooled(model->text[0]);
    struct ebb_prompt prompt = {0};
    store->known = ebb_alloc(count * width, sizeof(float));
    enum ebb_result result = store->known ? EBB_OK
                                          : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for prompts");
    for (size_t i = 0; i < count && result == EBB_OK; i++) {
        result = ebb_prompt_encode(store->plans, model, model->files->prompts[i], 0, &prompt, error);
        if (result == EBB_OK)
            memcpy(store->known + i * width, prompt.vector, width * sizeof(float));
    }
    ebb_prompt_clear(&prompt);
    return result;
}

// Says which word of a prompt is new, and which listed prompt the prompt is nearest to.
static void tell_unknown(struct ebb_word_store *store, const struct ebb_model *model,
                         const struct encoding *e)
{
    char word[EBB_KNOWN_WORD];
    double cosine;
    struct ebb_error error = {0};
    if (!model->words_are_classes || !ebb_find_unknown_word(model, e->text, word))
        return;
    if (!store->known && encode_listed(store, model, &error) != EBB_OK) {
        free(store->known);
        store->known = NULL;
        return;
    }
    int nearest = ebb_find_nearest(store->known, model->files->prompt_count,
                                   ebb_text_encoder_pooled(model->text[0]), e->prompt.vector, &cosine);
    ebb_logf(ebb_device_log(model->device), EBB_LOG_WARNING,
             "%s heard nothing called \"%s\" when it learned; what it knows nearest to \"%.60s\" is "
             "\"%.60s\" (likeness %.2f, 1: the same)",
             model->info.name, word, e->text, model->files->prompts[nearest], cosine);
}

// ---- prompts that stay encoded ----

// The prompt's encoding, which becomes the first of the store. NULL on failure.
static const struct ebb_prompt *find(struct ebb_word_store *store, struct ebb_model *model, const char *text,
                                     int tokens, struct ebb_error *error)
{
    struct encoding **at = &store->first;
    while (*at && ((*at)->tokens != tokens || strcmp((*at)->text, text) != 0))
        at = &(*at)->next;
    struct encoding *found = *at;
    if (found)
        *at = found->next;
    else if ((found = encode(store, model, text, tokens, error)))
        tell_unknown(store, model, found);
    if (!found)
        return NULL;
    found->next = store->first;
    store->first = found;
    return &found->prompt;
}

// ---- a batch ----

struct batch {
    struct ebb_word_store *store;
    struct ebb_model *model;
    const struct ebb_settled *settled;
    struct {
        // `from` NULL: the item is a class; `to` NULL: it is not between two prompts.
        const struct ebb_prompt *from, *to;
    } item[PLACES];
    int tokens; // of the longest prompt that is guided to
};

static void take_length(struct batch *batch, const struct ebb_prompt *prompt)
{
    int tokens = ebb_prompt_tokens(batch->model, prompt);
    batch->tokens = tokens > batch->tokens ? tokens : batch->tokens;
}

// The base is the last of the items: by then the others' length is known.
static enum ebb_result find_item(struct batch *batch, int item, struct ebb_error *error)
{
    const struct ebb_settled *settled = batch->settled;
    const char *text = ebb_settled_prompt(batch->model, settled, item);
    bool base = item == settled->guidance.labels && settled->n > 1;
    bool between = !text && settled->words.share > 0;
    int tokens = base ? batch->tokens : 0;
    if (batch->model->words_are_classes && ebb_settled_is_class(batch->model, settled, item))
        return EBB_OK;
    batch->item[item].from = find(batch->store, batch->model, text ? text : settled->words.from, tokens,
                                  error);
    if (batch->item[item].from && between)
        batch->item[item].to = find(batch->store, batch->model, settled->words.to, tokens, error);
    if (!batch->item[item].from || (between && !batch->item[item].to))
        return error->code;
    take_length(batch, batch->item[item].from);
    if (between)
        take_length(batch, batch->item[item].to);
    return EBB_OK;
}

// Fills an item up to the length of the others, and finds its place between two prompts.
static enum ebb_result make_item(struct batch *batch, int item, const struct ebb_words **words,
                                 struct ebb_error *error)
{
    const struct ebb_prompt *from = batch->item[item].from, *to = batch->item[item].to;
    if (!from)
        return EBB_OK;
    *words = &from->words;
    if (!to && ebb_prompt_tokens(batch->model, from) == batch->tokens)
        return EBB_OK;
    struct ebb_prompt *made = &batch->store->made[item];
    *words = &made->words;
    return ebb_prompt_mix(batch->model, from, to ? to : from, to ? batch->settled->words.share : 0,
                          batch->tokens, made, error);
}

enum ebb_result ebb_workspace_words(struct ebb_model *model, const struct ebb_settled *settled,
                                    const struct ebb_words *words[EBB_GUIDANCE_LABELS + 1],
                                    struct ebb_error *error)
{
    for (int i = 0; i < PLACES; i++)
        words[i] = NULL;
    if (!model->text[0] && !model->info.encoding)
        return EBB_OK;
    struct batch batch = {.store = store_of(model, error), .model = model, .settled = settled};
    if (!batch.store)
        return error->code;
    if (model->info.encoding) {
        words[0] = &batch.store->made[0].words;
        return ebb_prompt_read(model, settled->words.from, &batch.store->made[0], error);
    }
    forget_oldest(batch.store);
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < settled->n && i < PLACES; i++)
        result = find_item(&batch, i, error);
    for (int i = 0; result == EBB_OK && i < settled->n && i < PLACES; i++)
        result = make_item(&batch, i, &words[i], error);
    return result;
}
