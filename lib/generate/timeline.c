// SPDX-License-Identifier: LGPL-2.1-or-later
#include "generate/timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "generate/window_sound.h"

enum {
    KEPT = 4,   // windows: a clip needs its own, the one before, and their even neighbours
    MARGIN = 8, // frames of an even window that are made beyond a turn, for its neighbours to hold on to
    ATTEMPTS = 3,
    HELD = 4, // frames on either side of a turn that an odd window holds: more than reach a sample
};

struct window {
    bool made;
    uint64_t index, used; // `used`: when it was asked for last
    float *state;         // (h, w, c)
    float *mel;           // (n_mels, frames)
    float *sound;         // frames * hop samples
    float level;          // what to multiply them by
    int attempt;          // which noise it is made of
};

struct ebb_timeline {
    struct ebb_model *model; // borrowed
    struct ebb_timeline_params params;
    int columns, overlap; // columns of a window's state; of them shared with each neighbour
    int frames;           // of a window
    int turn;             // frames from a window's start to the middle of its overlap
    size_t samples;       // of a window
    struct window kept[KEPT];
    uint64_t clock;
    float *known, *mask;         // (h, w, c), while an odd window is made
    float *first, *other;        // (h, w, c): noise
    float *common, *column;      // (c, h)
    float *scratch;              // the same
    struct ebb_timeline *second; // of two channels: the second one; otherwise NULL
    struct ebb_timeline *beside; // in the second channel: the first one, borrowed; otherwise NULL
};

// ---- life ----

static bool make_room(struct ebb_timeline *t)
{
    size_t state = ebb_window_count(t->model), cells = (size_t)t->model->info.n_mels * t->frames;
    t->known = ebb_alloc(state, sizeof(float));
    t->mask = ebb_alloc(state, sizeof(float));
    t->first = ebb_alloc(state, sizeof(float));
    t->other = ebb_alloc(state, sizeof(float));
    t->common = ebb_alloc(state / t->columns, sizeof(float));
    t->column = ebb_alloc(state / t->columns, sizeof(float));
    t->scratch = ebb_alloc(state / t->columns, sizeof(float));
    bool whole = t->known && t->mask && t->first && t->other && t->common && t->column && t->scratch;
    for (int i = 0; i < KEPT && whole; i++) {
        t->kept[i].state = ebb_alloc(state, sizeof(float));
        t->kept[i].mel = ebb_alloc(cells, sizeof(float));
        t->kept[i].sound = ebb_alloc(t->samples, sizeof(float));
        whole = t->kept[i].state && t->kept[i].mel && t->kept[i].sound;
    }
    return whole;
}

// The overlap in columns: enough for the change from one window's sound to the next, at most half a window.
static void choose_overlap(struct ebb_timeline *t)
{
    int stride = t->model->state_stride, least = (2 * MARGIN + stride - 1) / stride, most = t->columns / 2;
    double column = (double)stride * t->model->info.hop / t->model->info.sample_rate; // seconds
    double asked = round(t->params.overlap / column);
    int overlap = asked < least ? least : asked < t->columns ? (int)asked : t->columns;
    t->overlap = overlap < most ? overlap : most;
    t->turn = t->overlap * stride / 2;
}

static enum ebb_result check_size(const struct ebb_timeline *t, struct ebb_error *error)
{
    const struct ebb_mel_params *mel = &t->model->mel;
    if (t->model->vocoder)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: sounds of a vocoder cannot be joined",
                        t->model->info.name);
    if (t->turn < MARGIN)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: a window of %d frames is too short to be joined",
                        t->model->info.name, t->frames);
    // New sound goes on from half a transform inside the held part.
    int reach = (mel->window ? mel->window : mel->n_fft) / 2 / mel->hop;
    if (reach > 2 * HELD)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: half a transform (n_fft %d, hop %d) is %d frames, windows are joined over "
                        "at most %d",
                        t->model->info.name, mel->n_fft, mel->hop, reach, 2 * HELD);
    return EBB_OK;
}

// Two channels that are the same need one timeline.
static enum ebb_result make_second(struct ebb_timeline *t, struct ebb_error *error)
{
    struct ebb_timeline_params params = t->params;
    if (params.settled.channels != 2 || params.settled.width == 0)
        return EBB_OK;
    params.settled = ebb_settled_second(&params.settled);
    params.join = ebb_settled_second(&params.join);
    params.settled.channels = 1;
    params.counts = NULL;
    t->second = ebb_timeline_create(t->model, &params, error);
    if (!t->second)
        return error->code;
    t->second->beside = t;
    return EBB_OK;
}

struct ebb_timeline *ebb_timeline_create(struct ebb_model *model, const struct ebb_timeline_params *params,
                                         struct ebb_error *error)
{
    struct ebb_timeline *t = ebb_alloc(1, sizeof(*t));
    if (!t) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a timeline");
        return NULL;
    }
    t->model = model;
    t->params = *params;
    t->columns = model->state[2];
    t->frames = t->columns * model->state_stride;
    t->samples = (size_t)t->frames * model->info.hop;

    choose_overlap(t);
    if (check_size(t, error) != EBB_OK) {
        ebb_timeline_destroy(&t);
    } else if (!make_room(t)) {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the windows of a timeline");
        ebb_timeline_destroy(&t);
    } else if (make_second(t, error) != EBB_OK) {
        ebb_timeline_destroy(&t);
    }
    return t;
}

void ebb_timeline_destroy(struct ebb_timeline **timeline)
{
    struct ebb_timeline *t = *timeline;
    if (!t)
        return;
    ebb_timeline_destroy(&t->second);
    for (int i = 0; i < KEPT; i++) {
        free(t->kept[i].state);
        free(t->kept[i].mel);
        free(t->kept[i].sound);
    }
    float *rooms[] = {t->known, t->mask, t->first, t->other, t->common, t->column, t->scratch};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(*rooms); i++)
        free(rooms[i]);
    free(t);
    *timeline = NULL;
}

size_t ebb_timeline_clip_length(const struct ebb_timeline *t)
{
    return (size_t)(t->columns - t->overlap) * t->model->state_stride * t->model->info.hop;
}

// ---- windows ----

static struct window *kept_window(struct ebb_timeline *t, uint64_t index)
{
    for (int i = 0; i < KEPT; i++)
        if (t->kept[i].made && t->kept[i].index == index) {
            t->kept[i].used = ++t->clock;
            return &t->kept[i];
        }
    return NULL;
}

// Makes room for a window: frees the one used longest ago.
static struct window *room_for(struct ebb_timeline *t, uint64_t index)
{
    struct window *oldest = &t->kept[0];
    for (int i = 1; i < KEPT; i++)
        if (!t->kept[i].made || (oldest->made && t->kept[i].used < oldest->used))
            oldest = &t->kept[i];
    oldest->made = false;
    oldest->index = index;
    return oldest;
}

// ---- noise ----

static size_t column_height(const struct ebb_timeline *t)
{
    return ebb_window_count(t->model) / t->columns;
}

static void draw(struct ebb_timeline *t, const struct ebb_noise_path *seed,
                 const struct ebb_noise_address *address, float *column)
{
    struct ebb_noise_place place = ebb_noise_place(address);
    ebb_noise_draw(seed, place.clip, place.draw, place.first, column_height(t), column, t->scratch);
}

// The channels have one colour: what windows have in common, channels have too.
static void draw_common(struct ebb_timeline *t)
{
    struct ebb_noise_address address = {EBB_NOISE_COMMON, .index = t->params.index};
    struct ebb_noise_path seed = t->params.settled.seed;
    seed.apart = 0;
    draw(t, &seed, &address, t->common);
}

static void draw_column(struct ebb_timeline *t, int attempt, uint64_t column)
{
    struct ebb_noise_address address = {EBB_NOISE_COLUMN, .index = t->params.index,
                                        .attempt = (unsigned)attempt, .column = column,
                                        .column_height = column_height(t)};
    draw(t, &t->params.settled.seed, &address, t->column);
}

// Noise of columns from .. to - 1 of a window that starts at column `start` of the timeline. The mean of
// the noise becomes the common column.
static void fill_columns(struct ebb_timeline *t, int attempt, uint64_t start, int from, int to, float *noise)
{
    int h = t->model->state[1], c = t->model->state[0], w = t->columns;
    for (int x = from; x < to; x++) {
        draw_column(t, attempt, start + x);
        for (int y = 0; y < h; y++)
            for (int k = 0; k < c; k++)
                noise[((size_t)y * w + x) * c + k] = t->column[k * h + y];
    }
    for (int y = 0; y < h; y++)
        for (int k = 0; k < c; k++) {
            double mean = 0, want = t->common[k * h + y] / sqrt(w);
            for (int x = from; x < to; x++)
                mean += noise[((size_t)y * w + x) * c + k] / (double)(to - from);
            for (int x = from; x < to; x++)
                noise[((size_t)y * w + x) * c + k] += (float)(want - mean);
        }
}

static void even_noise(struct ebb_timeline *t, uint64_t index, int attempt, float *noise)
{
    fill_columns(t, attempt, index * (t->columns - t->overlap), 0, t->columns, noise);
}

// Noise of an odd window: in the overlaps, the neighbours' noise; between them, noise of its own.
static void odd_noise(struct ebb_timeline *t, const struct window *before, const struct window *after,
                      int attempt)
{
    int o = t->overlap, hop = t->columns - o;
    even_noise(t, before->index, before->attempt, t->other);
    ebb_window_copy_columns(t->model, t->first, 0, t->other, hop, o);
    even_noise(t, after->index, after->attempt, t->other);
    ebb_window_copy_columns(t->model, t->first, hop, t->other, 0, o);
    if (hop > o)
        fill_columns(t, attempt, (before->index + 1) * hop, o, hop, t->first);
}

// ---- windows, one by one ----

static enum ebb_result diffuse_once(struct ebb_timeline *t, struct window *window, bool held,
                                    const struct ebb_progress_span *progress, struct ebb_error *error)
{
    struct ebb_window_job job = {.noise = {.index = t->params.index, .window = window->index + 1},
                                 .counts = t->params.counts,
                                 .first = t->first,
                                 .known = held ? t->known : NULL,
                                 .mask = held ? t->mask : NULL,
                                 .progress = ebb_progress_part(progress, 0, 0.9)};
    enum ebb_result result = ebb_window_make(t->model, held ? &t->params.join : &t->params.settled, &job,
                                             window->state, error);
    return result == EBB_OK ? ebb_workspace_decode(t->model, window->state, t->columns, window->mel, error)
                            : result;
}

// Makes a window between its neighbours, or alone where they are NULL. A texture must not stop: a window
// with a silence is made again with other noise, a few times at most.
// The first attempt of a window in the second channel is the one that the first channel kept.
static int first_attempt(struct ebb_timeline *t, uint64_t index)
{
    const struct window *other = t->beside ? kept_window(t->beside, index) : NULL;
    return other ? other->attempt : 0;
}

static enum ebb_result diffuse(struct ebb_timeline *t, struct window *window, const struct window *before,
                               const struct window *after, const struct ebb_progress_span *progress,
                               struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    bool again = true;
    draw_common(t);
    for (int attempt = first_attempt(t, window->index); attempt < ATTEMPTS && again && result == EBB_OK;
         attempt++) {
        double from = 1 - pow(0.1, attempt), to = 1 - pow(0.1, attempt + 1);
        struct ebb_progress_span part = ebb_progress_part(progress, from, to);
        window->attempt = attempt;
        if (before)
            odd_noise(t, before, after, attempt);
        else
            even_noise(t, window->index, attempt, t->first);
        result = diffuse_once(t, window, before != NULL, &part, error);
        again = result == EBB_OK && ebb_window_sound_has_hole(t->model, window->mel, t->frames);
    }
    const struct window *other = t->beside ? kept_window(t->beside, window->index) : NULL;
    if (result == EBB_OK && other) // as of a single window: the channels are equally loud
        ebb_window_sound_balance(t->model, other->mel, window->mel, t->frames, 0);
    return result;
}

// Sound of a window, from the middle of one overlap to the middle of the next. The sound of an even window
// has a margin at either end, from which its neighbours go on.
static enum ebb_result make_sound(struct ebb_timeline *t, struct window *window, struct ebb_error *error)
{
    bool odd = window->index % 2;
    const struct window *other = t->beside ? kept_window(t->beside, window->index) : NULL;
    struct ebb_mel_beside beside = {.count = t->samples, .width = t->params.settled.width};
    if (t->beside && !other)
        return ebb_fail(error, EBB_INVALID, "window %llu of the first channel is gone",
                        (unsigned long long)window->index);
    if (other) {
        beside.values = other->mel;
        beside.sound = other->sound;
    }
    if (!odd) // what lies beyond its margins is not left from another window: the second channel looks there
        memset(window->sound, 0, t->samples * sizeof(float));
    uint64_t seed = ebb_window_sound_seed(ebb_noise_nearer(&t->params.settled.seed), t->params.index);
    struct ebb_window_sound_job job = {
        .mel = window->mel,
        .frames = t->frames,
        .iterations = t->params.iterations,
        .seed = other ? ebb_window_sound_other_seed(seed) : seed,
        .beside = other ? &beside : NULL,
        .at = window->index * (t->columns - t->overlap) * t->model->state_stride,
        .from = window->index == 0 ? 0 : t->turn - (odd ? HELD : MARGIN),
        .to = t->frames - t->turn + (odd ? HELD : MARGIN),
        .fixed_before = odd ? 2 * HELD : 0,
        .fixed_after = odd ? 2 * HELD : 0,
    };
    enum ebb_result result = ebb_window_sound_make(t->model, &job, window->sound, t->samples, error);
    size_t from = window->index == 0 ? 0 : (size_t)t->turn * t->model->info.hop,
           to = t->samples - t->turn * t->model->info.hop;
    window->level = ebb_window_sound_gain(t->model, window->sound + from, to - from);
    return result;
}

// Makes the sound of a window whose state is complete, and puts the window into `made`.
static enum ebb_result finish(struct ebb_timeline *t, struct window *window, struct window **made,
                              struct ebb_error *error)
{
    enum ebb_result result = make_sound(t, window, error);
    if (result != EBB_OK)
        return result;
    window->made = true;
    window->used = ++t->clock;
    *made = window;
    return EBB_OK;
}

static enum ebb_result make_even(struct ebb_timeline *t, uint64_t index,
                                 const struct ebb_progress_span *progress, struct window **made,
                                 struct ebb_error *error)
{
    *made = kept_window(t, index);
    if (*made)
        return EBB_OK;

    struct window *window = room_for(t, index);
    enum ebb_result result = diffuse(t, window, NULL, NULL, progress, error);
    return result == EBB_OK ? finish(t, window, made, error) : result;
}

// Holds an odd window to its neighbours: its first columns are the last ones of the window before, its last
// columns the first ones of the window after.
static void hold_edges(struct ebb_timeline *t, const struct window *before, const struct window *after)
{
    int h = t->model->state[1], c = t->model->state[0], w = t->columns, o = t->overlap;
    ebb_window_copy_columns(t->model, t->known, 0, before->state, w - o, o);
    ebb_window_copy_columns(t->model, t->known, w - o, after->state, 0, o);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                t->mask[((size_t)y * w + x) * c + k] = x < o || x >= w - o;
}

// The mel in an overlap. Both windows have the same state there, but each decodes it with its own
// surroundings. The outer half takes the neighbour's mel; in the inner half the neighbour's mel fades out.
static void blend_edges(struct ebb_timeline *t, const struct window *before, const struct window *after,
                        struct window *window)
{
    int shared = t->overlap * t->model->state_stride, n = t->frames;
    for (int band = 0; band < t->model->info.n_mels; band++) {
        float *to = window->mel + (size_t)band * n;
        const float *left = before->mel + (size_t)band * n + n - shared,
                    *right = after->mel + (size_t)band * n;
        for (int i = 0; i < shared; i++) {
            float own = fmaxf(0, 2 * (i + 0.5f) / shared - 1);
            to[i] += (1 - own) * (left[i] - to[i]);
            to[n - 1 - i] += (1 - own) * (right[shared - 1 - i] - to[n - 1 - i]);
        }
    }
}

static enum ebb_result make_odd(struct ebb_timeline *t, uint64_t index,
                                const struct ebb_progress_span *progress, struct window **made,
                                struct ebb_error *error)
{
    *made = kept_window(t, index);
    if (*made)
        return EBB_OK;

    struct window *before, *after;
    struct ebb_progress_span part[] = {ebb_progress_part(progress, 0, 0.3),
                                       ebb_progress_part(progress, 0.3, 0.6),
                                       ebb_progress_part(progress, 0.6, 1)};
    enum ebb_result result = make_even(t, index - 1, &part[0], &before, error);
    if (result == EBB_OK)
        result = make_even(t, index + 1, &part[1], &after, error);
    if (result != EBB_OK)
        return result;

    struct window *window = room_for(t, index);
    hold_edges(t, before, after);
    result = diffuse(t, window, before, after, &part[2], error);
    if (result != EBB_OK)
        return result;

    blend_edges(t, before, after, window);
    size_t shared = (size_t)2 * t->turn * t->model->info.hop, rest = t->samples - shared;
    memcpy(window->sound, before->sound + rest, shared * sizeof(float));
    memcpy(window->sound + rest, after->sound, shared * sizeof(float));
    return finish(t, window, made, error);
}

// ---- clips ----

static enum ebb_result get_window(struct ebb_timeline *t, uint64_t index,
                                  const struct ebb_progress_span *progress, struct window **window,
                                  struct ebb_error *error)
{
    return index % 2 ? make_odd(t, index, progress, window, error)
                     : make_even(t, index, progress, window, error);
}

// The windows that a clip is made of: up to the middle of the overlap, its sound is that of the window
// before.
struct clip_windows {
    struct window *before, *window; // `before` is NULL for clip 0
};

static enum ebb_result get_pair(struct ebb_timeline *t, uint64_t index,
                                const struct ebb_progress_span *progress, struct clip_windows *pair,
                                struct ebb_error *error)
{
    struct ebb_progress_span part[] = {ebb_progress_part(progress, 0, 0.5),
                                       ebb_progress_part(progress, index > 0 ? 0.5 : 0, 1)};
    *pair = (struct clip_windows){0};
    enum ebb_result result = index > 0 ? get_window(t, index - 1, &part[0], &pair->before, error) : EBB_OK;
    return result == EBB_OK ? get_window(t, index, &part[1], &pair->window, error) : result;
}

// Channels are brought down together: the sound stays where it is.
static float level_of(const struct window *one, const struct window *two)
{
    return two ? fminf(one->level, two->level) : one->level;
}

static void compose(const struct ebb_timeline *t, const struct clip_windows *pair,
                    const struct clip_windows *other, float *samples)
{
    size_t length = ebb_timeline_clip_length(t),
           turn = pair->before ? (size_t)t->turn * t->model->info.hop : 0;
    float before = pair->before ? level_of(pair->before, other->before) : 1,
          level = level_of(pair->window, other->window);
    if (turn)
        memcpy(samples, pair->before->sound + length, turn * sizeof(float));
    memcpy(samples + turn, pair->window->sound + turn, (length - turn) * sizeof(float));
    for (size_t i = 0; i < length; i++) {
        float now = i < 2 * turn ? ebb_window_sound_rise(i, 2 * turn) : 1;
        samples[i] *= before + now * (level - before);
    }
}

enum ebb_result ebb_timeline_clip(struct ebb_timeline *t, uint64_t index,
                                  const struct ebb_progress_span *progress, float *const *channels,
                                  struct ebb_error *error)
{
    struct ebb_progress_span part[] = {ebb_progress_part(progress, 0, t->second ? 0.5 : 1),
                                       ebb_progress_part(progress, 0.5, 1)};
    struct clip_windows pair, other = {0};
    enum ebb_result result = get_pair(t, index, &part[0], &pair, error);
    if (result == EBB_OK && t->second)
        result = get_pair(t->second, index, &part[1], &other, error);
    if (result != EBB_OK)
        return result;

    compose(t, &pair, &other, channels[0]);
    if (t->second)
        compose(t->second, &other, &pair, channels[1]);
    else if (t->params.settled.channels == 2)
        memcpy(channels[1], channels[0], ebb_timeline_clip_length(t) * sizeof(float));
    return EBB_OK;
}
