// SPDX-License-Identifier: LGPL-2.1-or-later
#include "spool_finish.h"

#include <math.h>
#include <stdlib.h>

#include <ebb/lab.h>

enum { BLOCK = 1 << 16 }; // frames

// ---- from end to end ----

struct spool_block {
    float *samples; // they may be changed
    size_t at, frames;
    int channels;
};

typedef enum ebb_result look(void *user, const struct spool_block *block, struct ebb_error *error);

static float *make_block(const struct spool *spool, struct ebb_error *error)
{
    float *samples = calloc((size_t)BLOCK * (size_t)spool_channels(spool), sizeof(float));
    if (!samples)
        *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a part of a sound"};
    return samples;
}

// Shows the sound block by block, with the silence behind it.
static enum ebb_result each_block(const struct spool *spool, const struct spool_span *span, look *look_at,
                                  void *user, struct ebb_error *error)
{
    float *samples = make_block(spool, error);
    enum ebb_result result = samples ? EBB_OK : error->code;
    size_t channels = (size_t)spool_channels(spool), end = span->frames + span->silence, count;
    for (size_t i = 0; i < end && result == EBB_OK; i += count) {
        size_t left = i < span->frames ? span->frames - i : end - i;
        count = left < BLOCK ? left : BLOCK;
        if (i < span->frames)
            result = spool_get(spool, span->first + i, samples, count, error);
        for (size_t k = 0; k < count * channels && i >= span->frames; k++)
            samples[k] = 0;
        if (result == EBB_OK && tool_interrupted())
            result = error->code = EBB_CANCELLED;
        struct spool_block block = {samples, i, count, (int)channels};
        if (result == EBB_OK)
            result = look_at(user, &block, error);
    }
    free(samples);
    return result;
}

// ---- cuts ----

struct loud {
    double peak, threshold;
    size_t first, end; // of the frames that exceed the threshold; SIZE_MAX, 0: none does
};

static enum ebb_result find_peak(void *user, const struct spool_block *block, struct ebb_error *error)
{
    (void)error;
    struct loud *loud = user;
    const struct ebb_sound sound = {.samples = block->samples,
                                    .frames = block->frames,
                                    .channels = block->channels};
    loud->peak = fmax(loud->peak, ebb_sound_peak(&sound));
    return EBB_OK;
}

static enum ebb_result find_loud(void *user, const struct spool_block *block, struct ebb_error *error)
{
    (void)error;
    struct loud *loud = user;
    for (size_t i = 0; i < block->frames * (size_t)block->channels; i++)
        if (fabs((double)block->samples[i]) > loud->threshold) {
            size_t frame = block->at + i / (size_t)block->channels;
            loud->first = frame < loud->first ? frame : loud->first;
            loud->end = frame + 1;
        }
    return EBB_OK;
}

// Where the sound comes within so many dB of its peak.
static enum ebb_result look_for(const struct spool *spool, const struct spool_span *span, double db,
                                struct loud *loud, struct ebb_error *error)
{
    *loud = (struct loud){.first = SIZE_MAX};
    enum ebb_result result = each_block(spool, span, find_peak, loud, error);
    loud->threshold = loud->peak * pow(10, db / 20);
    return result == EBB_OK ? each_block(spool, span, find_loud, loud, error) : result;
}

// Fades a part of the spool as ebb_sound_fade() does; the fades are short.
static enum ebb_result fade(struct spool *spool, const struct spool_span *span, double in, double out,
                            struct ebb_error *error)
{
    size_t fading = (size_t)rint(fmax(in, out) * spool_rate(spool));
    size_t count = fading < span->frames ? fading : span->frames;
    size_t at = span->first + (out > 0 ? span->frames - count : 0);
    struct ebb_sound part = {0};
    enum ebb_result result = ebb_sound_alloc(&part, count, spool_channels(spool), spool_rate(spool), error);
    if (result == EBB_OK)
        result = spool_get(spool, at, part.samples, count, error);
    if (result == EBB_OK) {
        ebb_sound_fade(&part, in, out);
        result = spool_put(spool, at, part.samples, count, error);
    }
    ebb_sound_clear(&part);
    return result;
}

// As ebb_sound_trim() does.
static enum ebb_result trim(struct spool *spool, struct spool_span *span, struct ebb_error *error)
{
    struct loud loud;
    enum ebb_result result = look_for(spool, span, EBB_TRIM_DB, &loud, error);
    if (result != EBB_OK || loud.end == 0)
        return result == EBB_OK ? fade(spool, span, 0, EBB_TRIM_MARGIN, error) : result;
    size_t more = (size_t)rint(EBB_TRIM_MARGIN * spool_rate(spool));
    size_t first = loud.first > more ? loud.first - more : 0;
    size_t end = more < span->frames - loud.end ? loud.end + more : span->frames;
    *span = (struct spool_span){span->first + first, end - first, 0};
    return fade(spool, span, 0, EBB_TRIM_MARGIN, error);
}

// As ebb_sound_lead() does.
static enum ebb_result cut_lead(struct spool *spool, const struct ebb_recipe *recipe, struct spool_span *span,
                                struct ebb_error *error)
{
    double lead = ebb_recipe_number(recipe, "lead");
    size_t keep = (size_t)round(lead * spool_rate(spool));
    struct loud loud;
    enum ebb_result result = look_for(spool, span, EBB_ATTACK_DB, &loud, error);
    if (result != EBB_OK || loud.end == 0 || loud.first <= keep)
        return result;
    size_t cut = loud.first - keep, silence = sound_keeps_length(recipe) ? cut : 0;
    *span = (struct spool_span){span->first + cut, span->frames - cut, silence};
    return fade(spool, span, lead, 0, error);
}

enum ebb_result spool_cut(struct spool *spool, const struct ebb_recipe *recipe, struct spool_span *span,
                          struct ebb_error *error)
{
    *span = (struct spool_span){.frames = spool_frames(spool)};
    enum ebb_result result = EBB_OK;
    if (ebb_recipe_number(recipe, "trim") == 1)
        result = trim(spool, span, error);
    if (result == EBB_OK && !isnan(ebb_recipe_number(recipe, "lead")))
        result = cut_lead(spool, recipe, span, error);
    return result;
}

// ---- level ----

static enum ebb_result add_to_meter(void *meter, const struct spool_block *block, struct ebb_error *error)
{
    return ebb_meter_add(meter, block->samples, block->frames, error);
}

enum ebb_result spool_measure(const struct spool *spool, const struct spool_span *span,
                              struct sound_level *level, struct ebb_error *error)
{
    struct ebb_meter *meter = ebb_meter_create(spool_channels(spool), spool_rate(spool), error);
    enum ebb_result result = meter ? each_block(spool, span, add_to_meter, meter, error) : error->code;
    if (result == EBB_OK)
        *level = (struct sound_level){ebb_meter_loudness(meter), ebb_meter_peak(meter)};
    ebb_meter_destroy(&meter);
    return result;
}

// ---- the file ----

struct copy {
    struct ebb_sound_writer *writer;
    double db;
};

static enum ebb_result copy_block(void *user, const struct spool_block *block, struct ebb_error *error)
{
    const struct copy *copy = user;
    struct ebb_sound sound = {.samples = block->samples,
                              .frames = block->frames,
                              .channels = block->channels};
    ebb_sound_gain(&sound, copy->db);
    return ebb_sound_writer_write(copy->writer, block->samples, block->frames, error);
}

enum ebb_result spool_write(const struct spool *spool, const struct spool_span *span, double db,
                            struct ebb_sound_writer *writer, struct ebb_error *error)
{
    struct copy copy = {writer, db};
    return each_block(spool, span, copy_block, &copy, error);
}
