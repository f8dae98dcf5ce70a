// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/prompt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/device.h"
#include "base/base.h"
#include "base/npy.h"
#include "model/language.h"
#include "model/text_plan.h"
#include "nets/unet2d.h"
#include "text/tokenizer.h"

enum { MOST_TOKENS = 4096 }; // of an encoding

struct ebb_prompt_plans {
    struct {
        struct ebb_text_plan *plan;
        int tokens; // that the plan is for
    } text[EBB_MODEL_TEXTS];
    struct ebb_language *language;
    int language_tokens; // of the second text, that the language model is ready for
};

// ---- life ----

void ebb_prompt_clear(struct ebb_prompt *prompt)
{
    for (int i = 0; i < EBB_UNET_TEXTS; i++) {
        // clang's analyzer takes the elements of an array that a call has filled for one and the same.
        free(prompt->states[i]); // NOLINT(clang-analyzer-unix.Malloc): see above
        free(prompt->seen[i]);   // NOLINT(clang-analyzer-unix.Malloc): see above
    }
    free(prompt->vector);
    *prompt = (struct ebb_prompt){0};
}

struct ebb_prompt_plans *ebb_prompt_plans_create(void)
{
    return ebb_alloc(1, sizeof(struct ebb_prompt_plans));
}

void ebb_prompt_plans_destroy(struct ebb_prompt_plans **plans)
{
    struct ebb_prompt_plans *p = *plans;
    *plans = NULL;
    if (!p)
        return;
    for (int i = 0; i < EBB_MODEL_TEXTS; i++)
        ebb_text_plan_destroy(&p->text[i].plan);
    ebb_language_destroy(&p->language);
    free(p);
}

// ---- tokens ----

// Whether the network is told a vector of each prompt, as AudioLDM's is, not the states of its tokens.
static bool is_told_vectors(const struct ebb_model *model)
{
    return model->words_are_classes || ebb_unet_config(model->unet)->class_vector > 0;
}

// Most tokens of a prompt.
static int longest(const struct ebb_model *model, int text)
{
    int most = ebb_tokenizer_most(model->tokenizer[text]), room = ebb_text_encoder_longest(model->text[text]);
    return most < room ? most : room;
}

// The part of a text of at most `most` bytes that begins and ends with a letter: tokens may part one.
static const char *whole_letters(const char *text, size_t size, size_t most, int *bytes)
{
    size_t first = 0, end = size < most ? size : most;
    while (first < end && (text[first] & 0xc0) == 0x80)
        first++;
    while (end > first && end < size && (text[end] & 0xc0) == 0x80)
        end--;
    *bytes = (int)(end - first);
    return text + first;
}

static void tell_cut(const struct ebb_model *model, struct ebb_text_buffer *cut, int length, bool away)
{
    enum { SHOWN = 300 };
    if (cut->failed || cut->size == 0)
        return;
    size_t blank = cut->text[0] == ' ' ? 1 : 0;
    int bytes;
    const char *shown = whole_letters(cut->text + blank, cut->size - blank, SHOWN, &bytes);
    ebb_logf(ebb_device_log(model->device), EBB_LOG_WARNING,
             "the %s is longer than the %d tokens that %s takes%s; cut off: \"%.*s\"%s",
             away ? "negative prompt" : "prompt", length, model->info.name, away ? " of it" : "", bytes,
             shown, cut->size - blank > SHOWN ? "..." : "");
}

// The ids of a prompt, cut to the length.
static enum ebb_result find_ids(const struct ebb_model *model, int text, const char *prompt, int length,
                                bool away, struct ebb_tokens *ids, struct ebb_error *error)
{
    const struct ebb_tokenizer *tokenizer = model->tokenizer[text];
    struct ebb_text_buffer cut = {0};
    enum ebb_result result = ebb_tokenizer_encode(tokenizer, prompt, strlen(prompt), ids, error);
    if (result != EBB_OK) {
        ebb_explain(error, "the prompt");
        return result;
    }
    ebb_tokenizer_cut(tokenizer, ids, (size_t)length, &cut);
    tell_cut(model, &cut, length, away);
    ebb_text_clear(&cut);
    return EBB_OK;
}

static enum ebb_result fill_up(const struct ebb_model *model, int text, int length, struct ebb_tokens *ids,
                               struct ebb_error *error)
{
    while (ids->count < (size_t)length)
        if (!ebb_tokens_add(ids, ebb_tokenizer_pad(model->tokenizer[text])))
            return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for tokens");
    return EBB_OK;
}

// ---- text encoders ----

static enum ebb_result no_memory(struct ebb_error *error)
{
    return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a prompt");
}

// Runs a text encoder on the ids. `pooled` may be NULL.
static enum ebb_result run_encoder(struct ebb_prompt_plans *plans, const struct ebb_model *model, int text,
                                   const struct ebb_tokens *ids, float *states, float *pooled,
                                   struct ebb_error *error)
{
    struct ebb_text_plan **plan = &plans->text[text].plan;
    if (!*plan || plans->text[text].tokens != (int)ids->count) {
        ebb_text_plan_destroy(plan);
        *plan = ebb_text_plan_create(model->device, model->text[text], 1, (int)ids->count, error);
        plans->text[text].tokens = (int)ids->count;
    }
    return *plan ? ebb_text_plan_run(*plan, ids->id, states, pooled, error) : error->code;
}

// Stable Diffusion's: the states of all tokens, pads included, and no mask.
static enum ebb_result encode_states(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                     const char *text, bool away, struct ebb_prompt *prompt,
                                     struct ebb_error *error)
{
    struct ebb_tokens ids = {0};
    int length = longest(model, 0);
    enum ebb_result result = find_ids(model, 0, text, length, away, &ids, error);
    if (result == EBB_OK)
        result = fill_up(model, 0, length, &ids, error);
    size_t width = (size_t)ebb_text_encoder_width(model->text[0]);
    if (result == EBB_OK && !(prompt->states[0] = ebb_alloc(ids.count * width, sizeof(float))))
        result = no_memory(error);
    if (result == EBB_OK)
        result = run_encoder(plans, model, 0, &ids, prompt->states[0], NULL, error);
    prompt->words.tokens[0] = (int)ids.count;
    ebb_tokens_clear(&ids);
    return result;
}

// Of length 1, as CLAP's texts and sounds are compared.
static void normalize(float *vector, size_t count)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (double)vector[i] * vector[i];
    double length = fmax(sqrt(squares), 1e-12);
    for (size_t i = 0; i < count; i++)
        vector[i] = (float)(vector[i] / length);
}

// The vector of the whole prompt. Pads are not seen, so that there need be none.
static enum ebb_result find_vector(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                   const char *text, int length, bool away, float *vector,
                                   struct ebb_error *error)
{
    struct ebb_tokens ids = {0};
    enum ebb_result result = find_ids(model, 0, text, length, away, &ids, error);
    float *last = ebb_alloc(ids.count * (size_t)ebb_text_encoder_width(model->text[0]) + 1, sizeof(float));
    if (result == EBB_OK)
        result = last ? run_encoder(plans, model, 0, &ids, last, vector, error) : no_memory(error);
    if (result == EBB_OK && !model->words_are_classes)
        normalize(vector, (size_t)ebb_text_encoder_pooled(model->text[0]));
    free(last);
    ebb_tokens_clear(&ids);
    return result;
}

// AudioLDM's pipelines cut the words to guide away from where the vector is as long.
static enum ebb_result encode_vector(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                     const char *text, bool away, struct ebb_prompt *prompt,
                                     struct ebb_error *error)
{
    int most = longest(model, 0), width = ebb_text_encoder_pooled(model->text[0]);
    away = away && !model->words_are_classes;
    prompt->vector = ebb_alloc((size_t)width, sizeof(float));
    return prompt->vector ? find_vector(plans, model, text, away && width < most ? width : most, away,
                                        prompt->vector, error)
                          : no_memory(error);
}

// ---- AudioLDM 2: a vector, the states of a second text encoder, and what a language model makes of both
// ----

// Most tokens of the second text: the language model has places for it, its ends, the first text's vector
// with its ends, and what follows.
static int longest_second(const struct ebb_model *model)
{
    enum { VECTOR = 1, ENDS = 4 };
    int most = longest(model, 1), follow = ebb_text_encoder_follow(model->language);
    int room = ebb_text_encoder_longest(model->language) - VECTOR - ENDS - follow;
    return most < room ? most : room;
}

static enum ebb_result encode_second(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                     const char *text, int length, bool away, struct ebb_prompt *prompt,
                                     struct ebb_error *error)
{
    struct ebb_tokens ids = {0};
    size_t width = (size_t)ebb_text_encoder_width(model->text[1]);
    enum ebb_result result = find_ids(model, 1, text, length, away, &ids, error);
    size_t own = ids.count;
    if (result == EBB_OK && away)
        result = fill_up(model, 1, length, &ids, error);
    if (result == EBB_OK) {
        prompt->states[1] = ebb_alloc(ids.count * width, sizeof(float));
        prompt->seen[1] = ebb_alloc(ids.count, sizeof(float));
        result = prompt->states[1] && prompt->seen[1] ? EBB_OK : no_memory(error);
    }
    for (size_t i = 0; i < own && result == EBB_OK; i++)
        prompt->seen[1][i] = 1;
    if (result == EBB_OK)
        result = run_encoder(plans, model, 1, &ids, prompt->states[1], NULL, error);
    prompt->words.tokens[1] = (int)ids.count;
    ebb_tokens_clear(&ids);
    return result;
}

static enum ebb_result go_on(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                             const float *vector, const bool *seen, struct ebb_prompt *prompt,
                             struct ebb_error *error)
{
    struct ebb_language_size size = {{1, prompt->words.tokens[1]}, ebb_text_encoder_follow(model->language)};
    if (!plans->language || plans->language_tokens != size.tokens[1]) {
        ebb_language_destroy(&plans->language);
        plans->language = ebb_language_create(model->device, model->projection, model->language, &size,
                                              error);
        plans->language_tokens = size.tokens[1];
    }
    const float *states[] = {vector, prompt->states[1]};
    return plans->language ? ebb_language_run(plans->language, states, seen, prompt->states[0], error)
                           : error->code;
}

static enum ebb_result encode_two(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                  const char *text, int tokens, struct ebb_prompt *prompt,
                                  struct ebb_error *error)
{
    size_t follow = (size_t)ebb_text_encoder_follow(model->language);
    int most = longest_second(model);
    float *vector = ebb_alloc((size_t)ebb_text_encoder_pooled(model->text[0]), sizeof(float));
    bool *seen = NULL;
    prompt->words.tokens[0] = (int)follow;
    prompt->states[0] = ebb_alloc(follow * (size_t)ebb_text_encoder_width(model->language), sizeof(float));
    enum ebb_result result = vector && prompt->states[0] ? EBB_OK : no_memory(error);
    if (result == EBB_OK)
        result = find_vector(plans, model, text, longest(model, 0), false, vector, error);
    if (result == EBB_OK)
        result = encode_second(plans, model, text, tokens ? tokens : most, tokens > 0, prompt, error);
    if (result == EBB_OK && !(seen = ebb_alloc((size_t)prompt->words.tokens[1], sizeof(bool))))
        result = no_memory(error);
    for (int i = 0; seen && i < prompt->words.tokens[1]; i++)
        seen[i] = prompt->seen[1][i] > 0;
    if (result == EBB_OK)
        result = go_on(plans, model, vector, seen, prompt, error);
    free(vector);
    free(seen);
    return result;
}

// ---- all kinds ----

static void point(struct ebb_prompt *prompt)
{
    for (int i = 0; i < EBB_UNET_TEXTS; i++) {
        prompt->words.states[i] = prompt->states[i];
        prompt->words.seen[i] = prompt->seen[i];
    }
    prompt->words.vector = prompt->vector;
}

enum ebb_result ebb_prompt_encode(struct ebb_prompt_plans *plans, const struct ebb_model *model,
                                  const char *text, int tokens, struct ebb_prompt *prompt,
                                  struct ebb_error *error)
{
    bool away = tokens > 0;
    ebb_prompt_clear(prompt);
    enum ebb_result result = model->language ? encode_two(plans, model, text, tokens, prompt, error)
                             : is_told_vectors(model)
                                 ? encode_vector(plans, model, text, away, prompt, error)
                                 : encode_states(plans, model, text, away, prompt, error);
    point(prompt);
    if (result != EBB_OK)
        ebb_prompt_clear(prompt);
    return result;
}

// Tokens of an array of states; 0: its shape is another.
static size_t tokens_of(const struct ebb_npy *npy, size_t width)
{
    if (npy->dims == 0)
        return 0;
    bool one = npy->dims < 3 || (npy->dims == 3 && npy->shape[0] == 1);
    size_t tokens = npy->dims > 1 ? npy->shape[npy->dims - 2] : 1;
    return one && npy->shape[npy->dims - 1] == width && tokens <= MOST_TOKENS ? tokens : 0;
}

enum ebb_result ebb_prompt_read(const struct ebb_model *model, const char *path, struct ebb_prompt *prompt,
                                struct ebb_error *error)
{
    struct ebb_npy npy;
    size_t width = (size_t)model->info.encoding;
    ebb_prompt_clear(prompt);
    enum ebb_result result = ebb_npy_read(path, (size_t)1 << 28, &npy, error);
    if (result != EBB_OK)
        return result;
    prompt->words.tokens[0] = (int)tokens_of(&npy, width);
    prompt->states[0] = npy.values;
    point(prompt);
    if (prompt->words.tokens[0] > 0)
        return EBB_OK;
    ebb_prompt_clear(prompt);
    return ebb_fail(error, EBB_INVALID,
                    "%s: %s is asked by (%zu), (tokens, %zu) or (1, tokens, %zu) numbers, at most %d tokens",
                    path, model->info.name, width, width, width, MOST_TOKENS);
}

int ebb_prompt_tokens(const struct ebb_model *model, const struct ebb_prompt *to)
{
    return model->language ? to->words.tokens[1] : 1;
}

// ---- between two prompts ----

// How much of the token is seen.
static double part_of(const struct ebb_words *words, int text, int token)
{
    const float *seen = words->seen[text];
    return token >= words->tokens[text] ? 0 : seen ? seen[token] : 1;
}

static void mix_token(const struct ebb_words *words[2], const double share[2], int text, int token,
                      size_t width, struct ebb_prompt *prompt)
{
    const float *from[2] = {0};
    double part[2], both = 1;
    for (int i = 0; i < 2; i++) {
        part[i] = share[i] * part_of(words[i], text, token);
        if (token < words[i]->tokens[text])
            from[i] = words[i]->states[text] + (size_t)token * width;
    }
    if (prompt->seen[text]) {
        prompt->seen[text][token] = (float)(part[0] + part[1]);
        both = part[0] + part[1] > 0 ? part[0] + part[1] : 1;
    }
    for (size_t k = 0; k < width; k++)
        prompt->states[text][(size_t)token * width + k] =
            (float)((from[0] ? part[0] / both * from[0][k] : 0) +
                    (from[1] ? part[1] / both * from[1][k] : 0));
}

static enum ebb_result mix_text(const struct ebb_words *words[2], const double share[2], int text,
                                size_t width, struct ebb_prompt *prompt, struct ebb_error *error)
{
    int tokens = prompt->words.tokens[text];
    bool seen = words[0]->seen[text] || words[1]->seen[text];
    prompt->states[text] = ebb_alloc((size_t)tokens * width, sizeof(float));
    prompt->seen[text] = seen ? ebb_alloc((size_t)tokens, sizeof(float)) : NULL;
    if (!prompt->states[text] || (seen && !prompt->seen[text]))
        return no_memory(error);
    for (int i = 0; i < tokens; i++)
        mix_token(words, share, text, i, width, prompt);
    return EBB_OK;
}

static enum ebb_result mix_vector(const struct ebb_words *words[2], const double share[2], size_t width,
                                  struct ebb_prompt *prompt, struct ebb_error *error)
{
    if (!(prompt->vector = ebb_alloc(width, sizeof(float))))
        return no_memory(error);
    for (size_t i = 0; i < width; i++)
        prompt->vector[i] = (float)(share[0] * words[0]->vector[i] + share[1] * words[1]->vector[i]);
    return EBB_OK;
}

enum ebb_result ebb_prompt_mix(const struct ebb_model *model, const struct ebb_prompt *from,
                               const struct ebb_prompt *to, double share, int tokens,
                               struct ebb_prompt *prompt, struct ebb_error *error)
{
    const struct ebb_words *words[] = {&from->words, &to->words};
    const double shares[] = {1 - share, share};
    enum ebb_result result = EBB_OK;
    ebb_prompt_clear(prompt);
    for (int i = 0; i < EBB_UNET_TEXTS && result == EBB_OK; i++) {
        prompt->words.tokens[i] = words[0]->seen[i] ? tokens : words[0]->tokens[i];
        if (words[0]->states[i])
            result = mix_text(words, shares, i, (size_t)ebb_unet_text_width(model->unet, i), prompt, error);
    }
    if (result == EBB_OK && from->vector)
        result = mix_vector(words, shares, (size_t)ebb_text_encoder_pooled(model->text[0]), prompt, error);
    point(prompt);
    return result;
}
