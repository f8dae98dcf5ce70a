// SPDX-License-Identifier: LGPL-2.1-or-later
#include "model/known_words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/model_files.h"
#include "text/unicode.h"

// ---- ebb.json ----

enum { MOST_PROMPTS = 1 << 14 };

static int count_all(const struct ebb_json *j)
{
    long long count = ebb_json_count(j, "prompts");
    for (int i = 0; i < ebb_json_count(j, "labels"); i++) {
        struct ebb_json label = ebb_json_object_at(j, "labels", i);
        count += ebb_json_count(&label, "prompts");
    }
    if (count > MOST_PROMPTS)
        ebb_json_refuse(j, "prompts", EBB_UNSUPPORTED, "at most %d of them, those of labels included",
                        MOST_PROMPTS);
    return count > MOST_PROMPTS ? 0 : (int)count;
}

// The list of one object, behind those that are there; how many.
static int add_list(struct ebb_model_files *files, const struct ebb_json *j)
{
    int count = ebb_json_count(j, "prompts");
    for (int i = 0; i < count; i++) {
        const char *text = ebb_json_string_at(j, "prompts", i);
        if (!text)
            ebb_json_refuse(j, "prompts", EBB_CORRUPT, "a list of strings");
        files->prompts[files->prompt_count++] = text ? text : "";
    }
    return count;
}

void ebb_manifest_prompts(struct ebb_model *model, const struct ebb_json *j)
{
    struct ebb_model_files *files = model->files;
    int count = count_all(j);
    if (count == 0 || j->file->result)
        return;
    if (!model->text[0]) {
        ebb_json_refuse(j, "prompts", EBB_CORRUPT, "no such key: the model has no text encoder");
        return;
    }
    files->prompts = ebb_alloc((size_t)count, sizeof(*files->prompts));
    if (!files->prompts) {
        j->file->result = ebb_fail(j->file->error, EBB_OUT_OF_MEMORY, "no memory for prompts");
        return;
    }
    for (int i = 0; i < model->info.label_count; i++) {
        struct ebb_json label = ebb_json_object_at(j, "labels", i);
        model->labels[i].prompts = files->prompts + files->prompt_count;
        model->labels[i].prompt_count = add_list(files, &label);
    }
    add_list(files, j);
}

// ---- words ----

// What joins words in an identifier parts them here: dog_bark has two.
static bool is_letter(int32_t character)
{
    return character != '_' && ebb_is_word(character);
}

// The character at `at`, and its length; 0 at the end of the string.
static int32_t character_at(const char *at, size_t *length)
{
    enum { LONGEST = 4 };
    return *at ? ebb_text_character(at, strnlen(at, LONGEST), length) : 0;
}

// The next word at or after *at, in small letters; false: there is none. *at moves behind it. Of a word that
// is too long its beginning counts.
static bool next_word(const char **at, char word[EBB_KNOWN_WORD])
{
    size_t length = 0, size = 0;
    bool room = true;
    int32_t c;
    while ((c = character_at(*at, &length)) != 0 && !is_letter(c))
        *at += length;
    for (; (c = character_at(*at, &length)) != 0 && is_letter(c); *at += length) {
        char lower[EBB_LOWER_BYTES];
        size_t bytes = ebb_text_lower(c, lower);
        room = room && size + bytes < EBB_KNOWN_WORD;
        memcpy(word + size, lower, room ? bytes : 0);
        size += room ? bytes : 0;
    }
    word[size] = 0;
    return size > 0;
}

static bool has_word(const char *text, const char *word)
{
    char other[EBB_KNOWN_WORD];
    while (next_word(&text, other))
        if (strcmp(other, word) == 0)
            return true;
    return false;
}

// Words that only join others.
static bool is_joining(const char *word)
{
    static const char joining[] =
        "a an and another at by for from in into is it its like my of off on onto or our out over some that "
        "the their then this through to under very while with without effect effects noise recording sound "
        "sounds";
    return has_word(joining, word);
}

static bool is_known(const struct ebb_model *model, const char *word)
{
    bool known = is_joining(word);
    for (int i = 0; i < model->info.label_count && !known; i++)
        known = has_word(model->labels[i].name, word);
    for (int i = 0; i < model->files->prompt_count && !known; i++)
        known = has_word(model->files->prompts[i], word);
    return known;
}

bool ebb_find_unknown_word(const struct ebb_model *model, const char *prompt, char word[EBB_KNOWN_WORD])
{
    bool found = false;
    while (model->files->prompt_count > 0 && !found && next_word(&prompt, word))
        found = !is_known(model, word);
    return found;
}

// How many words both have, and then how little the listed one says beside; 0 where they share none.
static double shared(const char *prompt, const char *listed)
{
    char word[EBB_KNOWN_WORD];
    int both = 0, all = 1;
    for (const char *at = prompt; next_word(&at, word);)
        both += !is_joining(word) && has_word(listed, word);
    for (const char *at = listed; next_word(&at, word);)
        all += !is_joining(word);
    return both + (double)both / all;
}

int ebb_find_label_of_words(const struct ebb_model *model, const char *prompt)
{
    double most = 0;
    int found = -1;
    for (int i = 0; i < model->info.label_count; i++)
        for (int k = -1; k < model->labels[i].prompt_count; k++) {
            double score = shared(prompt, k < 0 ? model->labels[i].name : model->labels[i].prompts[k]);
            if (score > most) {
                most = score;
                found = i;
            }
        }
    return found;
}

// ---- places ----

static double dot_from(const float *mean, const float *a, const float *b, int width)
{
    double sum = 0;
    for (int i = 0; i < width; i++)
        sum += ((double)a[i] - mean[i]) * ((double)b[i] - mean[i]);
    return sum;
}

static void find_mean(const float *vectors, int count, int width, float *mean)
{
    for (int i = 0; i < width; i++) {
        double sum = 0;
        for (int k = 0; k < count; k++)
            sum += vectors[(size_t)k * (size_t)width + (size_t)i];
        mean[i] = (float)(sum / count);
    }
}

int ebb_find_nearest(const float *vectors, int count, int width, const float *vector, double *cosine)
{
    int best = 0;
    float *mean = ebb_alloc((size_t)width, sizeof(float));
    *cosine = -1;
    if (!mean)
        return best;
    find_mean(vectors, count, width, mean);
    double own = sqrt(dot_from(mean, vector, vector, width));
    for (int k = 0; k < count; k++) {
        const float *other = vectors + (size_t)k * (size_t)width;
        double size = own * sqrt(dot_from(mean, other, other, width));
        double near = size > 0 ? dot_from(mean, vector, other, width) / size : -1;
        if (near > *cosine) {
            *cosine = near;
            best = k;
        }
    }
    free(mean);
    return best;
}
