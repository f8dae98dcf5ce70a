// SPDX-License-Identifier: LGPL-2.1-or-later
#include "edit/regenerate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

// Places of the windows, in columns from the first window's start.
struct window_places {
    int start; // frame of the first window's start; may lie before the recording
    int count;
    int length;     // columns from the first window's start to the last one's end
    bool backwards; // the last window is made first, because only the sound after the span is recorded
};

// Columns that a window shares with the one made before it: `count` columns, from `at` on in this window
// and from `from` on in the other.
struct shared {
    int at, from, count;
};

// Arrays of the current window, and the state kept from the window before.
struct window_arrays {
    float *mel;              // (n_mels, frames of a window)
    float *recorded, *state; // (h, w, c)
    float *first;            // noise
    float *known, *mask;
    float *last_state, *last_first;
};

static int least(int a, int b)
{
    return a < b ? a : b;
}

// A short span lies in the middle of one window, or nearer to one end where the recording ends: columns
// without recording would be wasted. A long span is covered by windows that overlap by a quarter or more.
static struct window_places lay_out(const struct ebb_model *m, const struct ebb_regeneration *r)
{
    int columns = m->state[2], stride = m->state_stride, span = (r->to - r->from + stride - 1) / stride;
    int before = r->here_from < r->from ? (r->from - r->here_from + stride - 1) / stride : 0;
    int end = r->from + span * stride, after = r->here_to > end ? (r->here_to - end) / stride : 0;
    int some = columns / 8, quarter = columns > 3 ? columns / 4 : 1;

    if (r->starts)
        before = 0;
    if (span + least(before, some) + least(after, some) <= columns) {
        int free = columns - span, left = least(before, free / 2), right = least(after, free - left);
        left = least(before, free - right);
        return (struct window_places){r->from - left * stride, 1, columns, false};
    }
    int left = least(before, quarter), length = left + span + least(after, quarter), hop = columns - quarter;
    length = length > columns ? length : columns;
    return (struct window_places){r->from - left * stride, (length - quarter + hop - 1) / hop, length,
                                  before == 0 && after > 0 && !r->starts};
}

static int window_start(const struct ebb_model *m, const struct window_places *l, int index)
{
    return l->count > 1 ? (int)lround((double)index * (l->length - m->state[2]) / (l->count - 1)) : 0;
}

// ---- room ----

static bool make_room(const struct ebb_model *m, struct window_arrays *room)
{
    size_t state = ebb_window_count(m);
    float **states[] = {&room->recorded, &room->state,      &room->first,     &room->known,
                        &room->mask,     &room->last_state, &room->last_first};
    room->mel = ebb_alloc((size_t)m->info.n_mels * m->state[2] * m->state_stride, sizeof(float));
    bool whole = room->mel != NULL;
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        *states[i] = ebb_alloc(state, sizeof(float));
        whole = whole && *states[i];
    }
    return whole;
}

static void free_room(struct window_arrays *room)
{
    float *all[] = {room->mel,   room->recorded, room->state,      room->first,
                    room->known, room->mask,     room->last_state, room->last_first};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        free(all[i]);
}

// ---- one window ----

// The recording's mel in a window that starts at `frame`; silence where nothing is recorded.
static void take_mel(const struct ebb_model *m, const struct ebb_regeneration *r, int frame, float *mel)
{
    int frames = m->state[2] * m->state_stride;
    for (int band = 0; band < m->info.n_mels; band++)
        for (int k = 0; k < frames; k++) {
            int at = frame + k;
            bool here = at >= r->here_from && at < r->here_to && at >= 0 && at < r->frames;
            mel[(size_t)band * frames + k] = here ? r->mel[(size_t)band * r->frames + at] : -1;
        }
}

enum column_role { FREE, HELD, NEW }; // outside the recording; held; in the span

// A column in which the recording begins is held: the training clips begin in the same way.
static enum column_role column_kind(const struct ebb_model *m, const struct ebb_regeneration *r, int frame)
{
    int end = frame + m->state_stride;
    if (frame < r->to && end > r->from)
        return NEW;
    return end > r->here_from && end <= r->here_to ? HELD : FREE;
}

static void fill_mask(const struct ebb_model *m, const struct ebb_regeneration *r, int frame,
                      const struct shared *made, float *mask)
{
    int c = m->state[0], h = m->state[1], w = m->state[2], bands = m->info.n_mels / h;
    for (int x = 0; x < w; x++) {
        enum column_role kind = column_kind(m, r, frame + x * m->state_stride);
        for (int y = 0; y < h; y++) {
            bool in_band = y * bands < r->high && (y + 1) * bands > r->low;
            bool there = x >= made->at && x < made->at + made->count;
            bool held = there || kind == HELD || (kind == NEW && !in_band);
            for (int k = 0; k < c; k++)
                mask[((size_t)y * w + x) * c + k] = held;
        }
    }
}

// Noise at `angle` between the recording's own noise (0) and fresh noise (pi / 2).
static enum ebb_result fill_first(struct ebb_model *m, const struct ebb_regeneration *r,
                                  const struct ebb_noise_address *address, struct window_arrays *room,
                                  const struct ebb_progress_span *progress, struct ebb_error *error)
{
    double own = cos(r->angle), fresh = sin(r->angle), alpha = 0, sigma = 1;
    bool inverts = r->from_recording && own > 1e-9;
    float *x = room->state; // used as scratch
    enum ebb_result result = ebb_window_noise(m, r->settled, address, room->first, error);
    if (result == EBB_OK && inverts)
        result = ebb_window_start(r->settled, &alpha, &sigma, error);
    if (result == EBB_OK && inverts)
        result = ebb_window_invert(m, r->settled, room->recorded, progress, x, error);
    for (size_t i = 0; i < ebb_window_count(m) && inverts && result == EBB_OK; i++)
        room->first[i] = (float)(own * (x[i] - alpha * room->recorded[i]) / sigma + fresh * room->first[i]);
    return result;
}

// Adds a window's spectrogram to the result. Where it overlaps the window before, it fades in as the other
// fades out.
static void lay_down(const struct ebb_model *m, const struct ebb_regeneration *r, int frame,
                     const struct shared *made, const float *mel, float *out)
{
    int frames = m->state[2] * m->state_stride, shared = made->count * m->state_stride;
    for (int k = 0; k < frames; k++) {
        int at = frame + k, inside = made->at == 0 ? k : frames - 1 - k; // from the end that is shared
        float now = inside < shared ? (inside + 0.5f) / shared : 1;
        for (int band = 0; band < m->info.n_mels && at >= 0 && at < r->frames; band++) {
            float *to = &out[(size_t)band * r->frames + at];
            *to += now * (mel[(size_t)band * frames + k] - *to);
        }
    }
}

static enum ebb_result make_window(struct ebb_model *m, struct ebb_regeneration *r, int index, int frame,
                                   const struct shared *made, struct window_arrays *room,
                                   const struct ebb_progress_span *progress, struct ebb_error *error)
{
    bool inverts = r->from_recording && cos(r->angle) > 1e-9;
    struct ebb_progress_span part[] = {ebb_progress_part(progress, 0, 0.5),
                                       ebb_progress_part(progress, inverts ? 0.5 : 0, 1)};
    struct ebb_noise_address address = r->noise;
    address.window = (uint64_t)index;
    take_mel(m, r, frame, room->mel);
    enum ebb_result result = ebb_workspace_encode(m, room->mel, m->state[2], room->recorded, error);
    if (result == EBB_OK)
        result = fill_first(m, r, &address, room, &part[0], error);
    if (result != EBB_OK)
        return result;

    memcpy(room->known, room->recorded, ebb_window_count(m) * sizeof(float));
    ebb_window_copy_columns(m, room->known, made->at, room->last_state, made->from, made->count);
    ebb_window_copy_columns(m, room->first, made->at, room->last_first, made->from, made->count);
    fill_mask(m, r, frame, made, room->mask);

    struct ebb_window_job job = {.first = room->first,
                                 .start = r->from_recording ? room->known : NULL,
                                 .known = room->known,
                                 .mask = room->mask,
                                 .noise = address,
                                 .progress = part[1]};
    result = ebb_window_make(m, r->settled, &job, room->state, error);
    if (result == EBB_OK)
        result = ebb_workspace_decode(m, room->state, m->state[2], room->mel, error);
    if (result != EBB_OK)
        return result;
    lay_down(m, r, frame, made, room->mel, r->made);
    result = ebb_workspace_decode(m, room->recorded, m->state[2], room->mel, error);
    if (result == EBB_OK)
        lay_down(m, r, frame, made, room->mel, r->was);
    return result;
}

enum ebb_result ebb_regenerate(struct ebb_model *m, struct ebb_regeneration *r, struct ebb_error *error)
{
    struct window_places l = lay_out(m, r);
    struct window_arrays room = {0};
    enum ebb_result result = make_room(m, &room)
                                 ? EBB_OK
                                 : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    for (int i = 0; i < l.count && result == EBB_OK; i++) {
        struct ebb_progress_span part = ebb_progress_part(&r->progress, (double)i / l.count,
                                                          (i + 1.0) / l.count);
        int index = l.backwards ? l.count - 1 - i : i, start = window_start(m, &l, index);
        int away = i > 0 ? start - window_start(m, &l, l.backwards ? index + 1 : index - 1) : m->state[2];
        struct shared made = {.at = away < 0 ? -away : 0,
                              .from = away > 0 ? away : 0,
                              .count = m->state[2] - abs(away)};
        result = make_window(m, r, index, l.start + start * m->state_stride, &made, &room, &part, error);
        float *swap[] = {room.state, room.first};
        room.state = room.last_state;
        room.first = room.last_first;
        room.last_state = swap[0];
        room.last_first = swap[1];
    }
    free_room(&room);
    int end = l.start + l.length * m->state_stride;
    r->covered_from = l.start > 0 ? l.start : 0;
    r->covered_to = least(end, r->frames);
    return result;
}
