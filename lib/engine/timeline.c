#include "engine/timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/sound.h"

enum {
    KEPT = 4,   // windows: a clip needs its own, the one before, and their even neighbours
    MARGIN = 8, // frames of an even window that are made beyond a turn, for its neighbours to hold on to
    ATTEMPTS = 3,
    HELD = 4,   // frames on either side of a turn that an odd window holds: more than reach a sample
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
    int columns, overlap;    // of the state: window, shared with each neighbour
    int frames;              // of a window
    int turn;                // frames from a window's start to the middle of its overlap, where the sound turns
    size_t samples;          // of a window
    struct window kept[KEPT];
    uint64_t clock;
    float *known, *mask;     // (h, w, c), while an odd window is made
    float *first, *other;    // (h, w, c): noise
    float *common, *column;  // (c, h)
    float *scratch;          // the same
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

// In columns: at least what the sound needs to turn, at most half a window.
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
    if (t->turn < MARGIN)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: a window of %d frames is too short to be joined", t->model->info.name,
                        t->frames);
    // Sound goes on from half a transform inside of what is held.
    int reach = mel->n_fft / 2 / mel->hop;
    if (reach > 2 * HELD)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: half a transform (n_fft %d, hop %d) is %d frames, windows are joined over "
                        "at most %d", t->model->info.name, mel->n_fft, mel->hop, reach, 2 * HELD);
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
    }
    return t;
}

void ebb_timeline_destroy(struct ebb_timeline **timeline)
{
    struct ebb_timeline *t = *timeline;
    if (!t)
        return;
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

// The one asked for longest ago makes room.
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

// The timeline's noise, beyond the draws that samplers number: draw BASE is what all windows have in common; another
// 2^28 draws for each attempt are one long row of columns.
static const uint32_t base = 0x40000000;

static void draw_common(struct ebb_timeline *t)
{
    size_t count = ebb_window_count(t->model) / t->columns;
    ebb_noise_draw(&t->params.recipe.seed, t->params.clip, base, 0, count, t->common, t->scratch);
}

static void draw_column(struct ebb_timeline *t, int attempt, uint64_t column)
{
    size_t count = ebb_window_count(t->model) / t->columns;
    uint32_t number = base + ((uint32_t)(attempt + 1) << 28) + (uint32_t)(column >> 16 & 0xfffffff);
    ebb_noise_draw(&t->params.recipe.seed, t->params.clip, number, (column & 0xffff) * count, count, t->column, t->scratch);
}

// Columns from..to of a window that starts at column `start` of the timeline; their mean becomes the common one.
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

// What the neighbours are made of where they overlap, and noise of its own between.
static void odd_noise(struct ebb_timeline *t, const struct window *before, const struct window *after, int attempt)
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

// Half a second with nothing in it: the sound ended before the window did, as short recordings do.
static bool has_hole(const struct ebb_timeline *t, const struct window *window)
{
    int longest = 0, run = 0, limit = t->model->info.sample_rate / 2 / t->model->info.hop;
    for (int i = 0; i < t->frames && t->model->mel.level == EBB_MEL_LEVEL_TRUE; i++) {
        float loudest = -1;
        for (int band = 0; band < t->model->info.n_mels; band++)
            loudest = fmaxf(loudest, window->mel[(size_t)band * t->frames + i]);
        run = loudest < -0.9f ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest > limit;
}

static enum ebb_result diffuse_once(struct ebb_timeline *t, struct window *window, bool held,
                                    const struct ebb_pulse *pulse, struct ebb_error *error)
{
    struct ebb_window_job job = {.clip = t->params.clip + (window->index + 1) * ((uint64_t)1 << 40), .first = t->first,
                                 .known = held ? t->known : NULL, .mask = held ? t->mask : NULL,
                                 .pulse = ebb_pulse_part(pulse, 0, 0.9)};
    enum ebb_result result = ebb_window_make(t->model, held ? &t->params.join : &t->params.recipe, &job, window->state, error);
    return result == EBB_OK ? ebb_engine_decode(t->model, window->state, t->columns, window->mel, error) : result;
}

// Between its neighbours, or alone where they are NULL. A texture should not stop: a window with a hole is made anew, of
// other noise, as often as makes sense.
static enum ebb_result diffuse(struct ebb_timeline *t, struct window *window, const struct window *before,
                               const struct window *after, const struct ebb_pulse *pulse, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    bool again = true;
    draw_common(t);
    for (int attempt = 0; attempt < ATTEMPTS && again && result == EBB_OK; attempt++) {
        double from = 1 - pow(0.1, attempt), to = 1 - pow(0.1, attempt + 1);
        struct ebb_pulse part = ebb_pulse_part(pulse, from, to);
        window->attempt = attempt;
        if (before)
            odd_noise(t, before, after, attempt);
        else
            even_noise(t, window->index, attempt, t->first);
        result = diffuse_once(t, window, before != NULL, &part, error);
        again = result == EBB_OK && has_hole(t, window);
    }
    return result;
}

// Sound of a window from turn to turn; an even one's goes on for a margin, to be held by its neighbours.
static enum ebb_result voice(struct ebb_timeline *t, struct window *window, struct ebb_error *error)
{
    bool odd = window->index % 2;
    struct ebb_sound_job job = {
        .mel = window->mel, .frames = t->frames, .iterations = t->params.iterations,
        .seed = ebb_sound_seed(ebb_noise_nearer(&t->params.recipe.seed), t->params.clip),
        .at = window->index * (t->columns - t->overlap) * t->model->state_stride,
        .from = window->index == 0 ? 0 : t->turn - (odd ? HELD : MARGIN),
        .to = t->frames - t->turn + (odd ? HELD : MARGIN),
        .fixed_before = odd ? 2 * HELD : 0, .fixed_after = odd ? 2 * HELD : 0,
    };
    enum ebb_result result = ebb_sound_make(t->model, &job, window->sound, t->samples, error);
    size_t from = window->index == 0 ? 0 : (size_t)t->turn * t->model->info.hop, to = t->samples - t->turn * t->model->info.hop;
    window->level = ebb_sound_level(t->model, window->sound + from, to - from);
    return result;
}

static enum ebb_result make_even(struct ebb_timeline *t, uint64_t index, const struct ebb_pulse *pulse,
                                 struct window **made, struct ebb_error *error)
{
    *made = kept_window(t, index);
    if (*made)
        return EBB_OK;

    struct window *window = room_for(t, index);
    enum ebb_result result = diffuse(t, window, NULL, NULL, pulse, error);
    if (result == EBB_OK)
        result = voice(t, window, error);
    if (result != EBB_OK)
        return result;
    window->made = true;
    window->used = ++t->clock;
    *made = window;
    return EBB_OK;
}

// The last columns of the window before and the first of the one after, where the new window has its first and last.
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

// Both windows have the same state in an overlap, but each decodes it with its own surroundings. The outer half is the
// neighbour's, in the inner half the neighbour's fades out.
static void blend_edges(struct ebb_timeline *t, const struct window *before, const struct window *after,
                        struct window *window)
{
    int shared = t->overlap * t->model->state_stride, n = t->frames;
    for (int band = 0; band < t->model->info.n_mels; band++) {
        float *to = window->mel + (size_t)band * n;
        const float *left = before->mel + (size_t)band * n + n - shared, *right = after->mel + (size_t)band * n;
        for (int i = 0; i < shared; i++) {
            float own = fmaxf(0, 2 * (i + 0.5f) / shared - 1);
            to[i] += (1 - own) * (left[i] - to[i]);
            to[n - 1 - i] += (1 - own) * (right[shared - 1 - i] - to[n - 1 - i]);
        }
    }
}

static enum ebb_result make_odd(struct ebb_timeline *t, uint64_t index, const struct ebb_pulse *pulse,
                                struct window **made, struct ebb_error *error)
{
    *made = kept_window(t, index);
    if (*made)
        return EBB_OK;

    struct window *before, *after;
    struct ebb_pulse part[] = {ebb_pulse_part(pulse, 0, 0.3), ebb_pulse_part(pulse, 0.3, 0.6),
                               ebb_pulse_part(pulse, 0.6, 1)};
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
    result = voice(t, window, error);
    if (result != EBB_OK)
        return result;
    window->made = true;
    window->used = ++t->clock;
    *made = window;
    return EBB_OK;
}

// ---- clips ----

static enum ebb_result get_window(struct ebb_timeline *t, uint64_t index, const struct ebb_pulse *pulse,
                                  struct window **window, struct ebb_error *error)
{
    return index % 2 ? make_odd(t, index, pulse, window, error) : make_even(t, index, pulse, window, error);
}

enum ebb_result ebb_timeline_clip(struct ebb_timeline *t, uint64_t index, const struct ebb_pulse *pulse, float *samples,
                                  struct ebb_error *error)
{
    size_t length = ebb_timeline_clip_length(t), turn = index > 0 ? (size_t)t->turn * t->model->info.hop : 0;
    struct ebb_pulse part[] = {ebb_pulse_part(pulse, 0, 0.5), ebb_pulse_part(pulse, turn ? 0.5 : 0, 1)};
    struct window *window;
    float before = 1; // the level that was
    if (turn) {       // up to the middle of the overlap the window before sounds
        enum ebb_result result = get_window(t, index - 1, &part[0], &window, error);
        if (result != EBB_OK)
            return result;
        memcpy(samples, window->sound + length, turn * sizeof(float));
        before = window->level;
    }
    enum ebb_result result = get_window(t, index, &part[1], &window, error);
    if (result != EBB_OK)
        return result;
    memcpy(samples + turn, window->sound + turn, (length - turn) * sizeof(float));
    for (size_t i = 0; i < length; i++) {
        float now = i < 2 * turn ? ebb_sound_rise(i, 2 * turn) : 1;
        samples[i] *= before + now * (window->level - before);
    }
    return EBB_OK;
}
