// SPDX-License-Identifier: LGPL-2.1-or-later
#include "generate/loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "generate/single.h"
#include "generate/window_sound.h"
#include "process/ring.h"

enum {
    ATTEMPTS = 3,
    PIECE = 192, // most frames of a piece
    MARGIN = 8,  // frames that an even piece has beyond its ends, for odd ones to hold on to
    HELD = 4,    // frames on either side of its ends that an odd piece holds
    AROUND = 16, // frames of the mel on either side of a piece
};

struct loop {
    struct ebb_model *model;
    const struct ebb_loop_params *params;
    int columns, frames; // of the ring
    int attempt;         // which noise it is made of
    float *state;        // (h, columns, c)
    float *mel;          // (n_mels, frames)
    float *samples;      // `count`, the caller's
    size_t count;
    const struct ebb_settled *settled; // of this channel
    const struct loop *beside;         // of a second channel: the first one; otherwise NULL
};

// ---- the noise ----

// Every section of about a window has the same mean, as the windows of a timeline have: it decides much of a
// sound's colour.
static void share_mean(const struct loop *l, const float *common, float *noise)
{
    const int *size = l->model->state; // (c, h, w)
    int sections = (l->columns + size[2] / 2) / size[2];
    sections = sections > 0 ? sections : 1;
    for (int s = 0; s < sections; s++) {
        int from = (int)((long long)s * l->columns / sections), to = (int)((s + 1LL) * l->columns / sections);
        for (int i = 0; i < size[1] * size[0]; i++) {
            int y = i / size[0], k = i % size[0];
            float *row = noise + (size_t)y * l->columns * size[0] + k;
            double mean = 0;
            for (int x = from; x < to; x++)
                mean += row[(size_t)x * size[0]] / (double)(to - from);
            for (int x = from; x < to; x++)
                row[(size_t)x * size[0]] += (float)(common[k * size[1] + y] / sqrt(size[2]) - mean);
        }
    }
}

static void draw(const struct ebb_noise_path *seed, const struct ebb_noise_address *address, size_t count,
                 float *out, float *scratch)
{
    struct ebb_noise_place place = ebb_noise_place(address);
    ebb_noise_draw(seed, place.clip, place.draw, place.first, count, out, scratch);
}

static enum ebb_result fill_noise(const struct loop *l, int attempt, float *noise, struct ebb_error *error)
{
    const int *size = l->model->state;
    size_t column = (size_t)size[0] * size[1], count = column * l->columns;
    float *room = ebb_alloc(2 * count + 2 * column, sizeof(float));
    if (!room)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the noise of a loop");
    float *planes = room + 2 * column;
    draw(&l->settled->seed,
         &(struct ebb_noise_address){.index = l->params->index, .window = (uint64_t)attempt}, count, planes,
         planes + count);
    for (int k = 0; k < size[0]; k++)
        for (size_t i = 0; i < count / size[0]; i++)
            noise[i * size[0] + k] = planes[(size_t)k * (count / size[0]) + i];
    draw(&l->params->settled->seed, &(struct ebb_noise_address){EBB_NOISE_COMMON, .index = l->params->index},
         column, room, room + column); // of all channels: they have one colour
    share_mean(l, room, noise);
    free(room);
    return EBB_OK;
}

// ---- the state, and its mel ----

static enum ebb_result decode(struct loop *l, struct ebb_error *error)
{
    const int *size = l->model->state;
    int stride = l->model->state_stride, bands = l->model->info.n_mels;
    struct ebb_ring state = {size[1], l->columns, size[0], size[2]};
    struct ebb_ring mel = {bands, l->frames, 1, size[2] * stride};
    size_t cells = (size_t)bands * mel.window;
    float *room = ebb_alloc(ebb_window_count(l->model) + cells + l->frames, sizeof(float));
    float *window = room, *part = room + ebb_window_count(l->model), *weights = part + cells;
    enum ebb_result result = room ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    memset(l->mel, 0, (size_t)bands * l->frames * sizeof(float));
    for (int i = 0; i < ebb_ring_windows(&state) && result == EBB_OK; i++) {
        int start = ebb_ring_start(&state, i, 0);
        ebb_ring_take(&state, l->state, start, 1, window);
        result = ebb_workspace_decode(l->model, window, size[2], part, error);
        if (result == EBB_OK) {
            ebb_ring_add(&mel, part, start * stride, l->mel);
            ebb_ring_weigh(&mel, start * stride, weights);
        }
    }
    if (result == EBB_OK)
        ebb_ring_divide(&mel, weights, l->mel);
    free(room);
    return result;
}

static enum ebb_result make_mel(struct loop *l, const struct ebb_progress_span *progress,
                                struct ebb_error *error)
{
    size_t count = (size_t)l->model->state[0] * l->model->state[1] * l->columns;
    float *noise = ebb_alloc(count, sizeof(float));
    enum ebb_result result = noise ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a loop");
    bool again = true;
    for (int attempt = l->attempt; attempt < ATTEMPTS && again && result == EBB_OK; attempt++) {
        struct ebb_window_job job = {
            .noise = {.index = l->params->index, .window = (uint64_t)attempt},
            .counts = l->params->counts,
            .first = noise,
            .ring = l->columns,
            .progress = ebb_progress_part(progress, 1 - pow(0.1, attempt), 1 - pow(0.1, attempt + 1)),
        };
        l->attempt = attempt;
        result = fill_noise(l, attempt, noise, error);
        if (result == EBB_OK)
            result = ebb_window_make(l->model, l->settled, &job, l->state, error);
        if (result == EBB_OK)
            result = decode(l, error);
        again = result == EBB_OK && ebb_window_sound_has_hole(l->model, l->mel, l->frames);
    }
    free(noise);
    return result;
}

// ---- the sound ----

// A piece of the ring: samples from .. to - 1, where `to` may lie past the loop's end.
struct ring_piece {
    int index;
    size_t from, to;
};

// Pieces begin at whole frames, half a piece after the loop's first sample.
static struct ring_piece piece_at(const struct loop *l, int index, int pieces)
{
    size_t hop = l->model->info.hop, first = (size_t)(0.5 * l->count / pieces / hop) * hop;
    size_t from = (size_t)((index + 0.5) * l->count / pieces / hop) * hop,
           to = (size_t)((index + 1.5) * l->count / pieces / hop) * hop;
    return (struct ring_piece){index, from, index + 1 < pieces ? to : first + l->count};
}

// The mel of a piece and of what lies around it: the ring's frame that is nearest to each of the piece's.
static void take_mel(const struct loop *l, const struct ring_piece *p, int frames, float *mel)
{
    double scale = (double)l->frames / l->count;
    for (int k = 0; k < frames; k++) {
        double at = ((double)p->from + (double)(k - AROUND) * l->model->info.hop) * scale;
        long nearest = lround(at) % l->frames;
        size_t frame = (size_t)(nearest < 0 ? nearest + l->frames : nearest);
        for (int band = 0; band < l->model->info.n_mels; band++)
            mel[(size_t)band * frames + k] = l->mel[(size_t)band * l->frames + frame];
    }
}

// Place of a piece's sample in the loop; `at` counts from AROUND frames before the piece.
static size_t place_of(const struct loop *l, const struct ring_piece *p, size_t at)
{
    size_t before = (size_t)AROUND * l->model->info.hop, rounds = (before / l->count + 1) * l->count;
    return (p->from + at + rounds - before) % l->count;
}

// A piece's mel, and what is there of its sound.
static void take_piece(const struct loop *l, const struct ring_piece *p, int frames, float *mel, float *sound)
{
    take_mel(l, p, frames, mel);
    for (size_t i = 0; i < (size_t)frames * l->model->info.hop; i++)
        sound[i] = l->samples[place_of(l, p, i)];
}

static enum ebb_result make_piece(struct loop *l, const struct ring_piece *p, float *room,
                                  struct ebb_error *error)
{
    size_t hop = l->model->info.hop, length = p->to - p->from;
    bool odd = p->index % 2;
    int whole = (int)(length / hop), frames = (int)((length + hop - 1) / hop) + 2 * AROUND;
    size_t count = (size_t)frames * hop, cells = (size_t)l->model->info.n_mels * frames;
    float *mel = room, *sound = mel + cells, *other_mel = sound + count, *other_sound = other_mel + cells;
    struct ebb_mel_beside beside = {other_mel, other_sound, count, l->settled->width};
    uint64_t seed = ebb_window_sound_seed(ebb_noise_nearer(&l->settled->seed), l->params->index);
    take_piece(l, p, frames, mel, sound);
    if (l->beside)
        take_piece(l->beside, p, frames, other_mel, other_sound);
    struct ebb_window_sound_job job = {
        .mel = mel,
        .frames = frames,
        .from = AROUND - (odd ? HELD : MARGIN),
        .to = odd ? AROUND + whole + HELD : frames - AROUND + MARGIN,
        .fixed_before = odd ? 2 * HELD : 0,
        .fixed_after = odd ? 2 * HELD : 0,
        .iterations = l->params->iterations,
        .seed = l->beside ? ebb_window_sound_other_seed(seed) : seed,
        .beside = l->beside ? &beside : NULL,
        .at = p->from / hop - AROUND, // counts below 0 go round, as the random numbers want it
    };
    enum ebb_result result = ebb_window_sound_make(l->model, &job, sound, count, error);
    for (size_t i = job.from * hop; i < job.to * hop && i < count && result == EBB_OK; i++)
        l->samples[place_of(l, p, i)] = sound[i];
    return result;
}

static int count_pieces(const struct loop *l)
{
    size_t both = 2 * (size_t)PIECE * l->model->info.hop;
    return (int)(2 * ((l->count + both - 1) / both));
}

static enum ebb_result make_sound(struct loop *l, const struct ebb_progress_span *progress,
                                  struct ebb_error *error)
{
    int pieces = count_pieces(l), most = PIECE + 2 + 2 * AROUND;
    float *room = ebb_alloc((size_t)2 * most * (l->model->info.n_mels + l->model->info.hop), sizeof(float));
    enum ebb_result result = room ? EBB_OK
                                  : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a piece of a loop");
    for (int i = 0; i < pieces && result == EBB_OK; i++) { // all even ones, then all odd ones
        int index = i < pieces / 2 ? 2 * i : 2 * (i - pieces / 2) + 1;
        struct ring_piece piece = piece_at(l, index, pieces);
        result = ebb_progress_tell(progress, (double)i / pieces, error);
        if (result == EBB_OK)
            result = make_piece(l, &piece, room, error);
    }
    free(room);
    return result;
}

// New sound goes on from half a transform inside the held part.
static enum ebb_result check_size(const struct loop *l, struct ebb_error *error)
{
    const struct ebb_mel_params *mel = &l->model->mel;
    int reach = (mel->window ? mel->window : mel->n_fft) / 2 / mel->hop;
    if (reach <= 2 * HELD)
        return EBB_OK;
    return ebb_fail(error, EBB_UNSUPPORTED,
                    "%s: transforms of %d samples every %d: loops are joined over at most %d",
                    l->model->info.name, mel->n_fft, mel->hop, 4 * HELD * mel->hop);
}

// ---- a short loop ----

// The shortest loop whose windows and pieces can go round: a window sees it six times at most, and its sound
// is joined twice over what joins take.
static size_t shortest_ring(const struct ebb_model *model)
{
    enum { PARTS = 6, JOINED_FRAMES = 36 };
    size_t window = (size_t)model->info.window_samples / PARTS,
           joined = (size_t)JOINED_FRAMES * model->info.hop;
    return window > joined ? window : joined;
}

// How alike x[0..n) and y[0..n) are, -1..1.
static double likeness(const float *x, const float *y, size_t n)
{
    double xx = 1e-30, yy = 1e-30, xy = 0;
    for (size_t i = 0; i < n; i++) {
        xx += (double)x[i] * x[i];
        yy += (double)y[i] * y[i];
        xy += (double)x[i] * y[i];
    }
    return xy / sqrt(xx * yy);
}

// A part of a longer sound as a loop: over half of it, what follows it fades out into its start. The level
// stays, however alike the two are.
static void fold(const float *sound, size_t count, float *loop)
{
    size_t half = count / 2;
    double alike = fmax(likeness(sound, sound + count, half), -0.8);
    memcpy(loop, sound, count * sizeof(float));
    for (size_t i = 0; i < half; i++) {
        double angle = M_PI / 2 * (i + 0.5) / half, in = sin(angle), out = cos(angle);
        double level = sqrt(1 + 2 * in * out * alike);
        loop[i] = (float)((in * sound[i] + out * sound[i + count]) / level);
    }
}

// Where, within 10 ms, the sound passes 0 upwards most gently. A player that starts or stops there makes no
// click.
static size_t gentle_start(const struct loop *l)
{
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the samples were allocated before
    size_t most = l->model->info.sample_rate / 100, at = 0;
    const float *x = l->samples;
    float least = INFINITY;
    for (size_t i = 1; i < most && i < l->count; i++)
        if (x[i - 1] < 0 && x[i] >= 0 && x[i] - x[i - 1] < least) {
            least = x[i] - x[i - 1];
            at = i;
        }
    return at;
}

// Turns a loop, so that it begins at its sample `at`. `room` has as many samples.
static void turn(struct loop *l, size_t at, float *room)
{
    memcpy(room, l->samples, at * sizeof(float));
    memmove(l->samples, l->samples + at, (l->count - at) * sizeof(float));
    memcpy(l->samples + l->count - at, room, at * sizeof(float));
}

static enum ebb_result make_channel(struct loop *l, const struct ebb_progress_span *progress,
                                    struct ebb_error *error)
{
    const struct ebb_model *m = l->model;
    double column = (double)m->state_stride * m->info.hop;
    struct ebb_progress_span part[] = {ebb_progress_part(progress, 0, 0.8),
                                       ebb_progress_part(progress, 0.8, 1)};
    l->columns = (int)fmax(1, round(l->count / column));
    l->frames = l->columns * m->state_stride;
    l->attempt = l->beside ? l->beside->attempt : 0;
    l->state = ebb_alloc((size_t)m->state[0] * m->state[1] * l->columns, sizeof(float));
    l->mel = ebb_alloc((size_t)m->info.n_mels * l->frames, sizeof(float));
    enum ebb_result result = l->state && l->mel ? check_size(l, error)
                                                : ebb_fail(error, EBB_OUT_OF_MEMORY,
                                                           "no memory for a loop of %zu samples", l->count);
    if (result == EBB_OK)
        result = make_mel(l, &part[0], error);
    if (result == EBB_OK && l->beside)
        ebb_window_sound_balance(m, l->beside->mel, l->mel, l->frames, 0);
    return result == EBB_OK ? make_sound(l, &part[1], error) : result;
}

static enum ebb_result turn_all(struct loop *loops, int count, struct ebb_error *error)
{
    size_t at = gentle_start(&loops[0]);
    float *room = ebb_alloc(at + 1, sizeof(float));
    for (int c = 0; c < count && room; c++)
        turn(&loops[c], at, room);
    free(room);
    return room ? EBB_OK : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the start of a loop");
}

static enum ebb_result make_channels(struct loop *loops, int count, const struct ebb_progress_span *progress,
                                     struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int c = 0; c < count && result == EBB_OK; c++) {
        struct ebb_progress_span part = ebb_progress_part(progress, (double)c / count, (c + 1.0) / count);
        result = make_channel(&loops[c], &part, error);
    }
    for (int c = 0; c < count; c++) {
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are one or two channels
        free(loops[c].state);
        free(loops[c].mel);
    }
    return result;
}

// A loop that is too short for a ring is folded out of one of several times its length.
static enum ebb_result make_short(struct loop *loops, int count, size_t least,
                                  const struct ebb_progress_span *progress, struct ebb_error *error)
{
    size_t wanted = loops[0].count, whole = (least + wanted - 1) / wanted * wanted;
    float *own[2] = {loops[0].samples, count > 1 ? loops[1].samples : NULL},
          *room = ebb_alloc(2 * whole, sizeof(float));
    if (!room)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a loop of %zu samples", whole);
    for (int c = 0; c < count; c++) {
        loops[c].samples = room + (size_t)c * whole;
        loops[c].count = whole;
    }
    enum ebb_result result = make_channels(loops, count, progress, error);
    for (int c = 0; c < count; c++) {
        if (result == EBB_OK)
            fold(loops[c].samples, wanted, own[c]);
        loops[c].samples = own[c];
        loops[c].count = wanted;
    }
    free(room);
    return result;
}

static enum ebb_result make_texture(struct loop *loops, int count, const struct ebb_progress_span *progress,
                                    struct ebb_error *error)
{
    size_t least = shortest_ring(loops[0].model);
    enum ebb_result result = loops[0].count < least ? make_short(loops, count, least, progress, error)
                                                    : make_channels(loops, count, progress, error);
    return result == EBB_OK ? turn_all(loops, count, error) : result;
}

// ---- an event ----

// Adds an event's samples, each round behind the other.
static void wind(struct loop *l, float *sound, size_t length)
{
    ebb_window_sound_fades(l->model, sound, length, true, l->settled->fade);
    for (size_t i = 0; i < length; i++)
        l->samples[i % l->count] += sound[i];
}

static enum ebb_result make_event(struct loop *loops, int count, const struct ebb_progress_span *progress,
                                  struct ebb_error *error)
{
    const struct ebb_loop_params *p = loops[0].params;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are one or two channels
    size_t length = ebb_single_length(loops[0].model, p->settled);
    float *room = ebb_alloc(2 * length, sizeof(float));
    float *const sounds[2] = {room, room + length};
    struct ebb_single_params params = {p->settled, p->join, p->index, p->iterations, p->counts, NULL, NULL};
    enum ebb_result result = room ? ebb_single_make(loops[0].model, &params, progress, sounds, error)
                                  : ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a window");
    for (int c = 0; c < count && result == EBB_OK; c++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): there are one or two channels
        wind(&loops[c], sounds[c], length);
    free(room);
    return result;
}

// Both channels are brought down together.
static void finish(struct loop *loops, int count)
{
    float level = 1;
    for (int c = 0; c < count; c++)
        level = fminf(level, ebb_window_sound_gain(loops[c].model, loops[c].samples, loops[c].count));
    for (int c = 0; c < count; c++) {
        for (size_t i = 0; i < loops[c].count; i++)
            loops[c].samples[i] *= level;
        ebb_window_sound_limit(loops[c].samples, loops[c].count);
    }
}

enum ebb_result ebb_loop_make(struct ebb_model *model, const struct ebb_loop_params *params,
                              const struct ebb_progress_span *progress, float *const *channels, size_t count,
                              struct ebb_error *error)
{
    struct ebb_settled second = ebb_settled_second(params->settled);
    bool event = ebb_settled_is_event(model, params->settled), same = params->settled->width == 0;
    bool two = params->settled->channels == 2;
    int made = two && !same ? 2 : 1;
    struct loop loops[2] = {
        {.model = model, .params = params, .settled = params->settled},
        {.model = model, .params = params, .settled = &second, .beside = &loops[0]},
    };
    for (int c = 0; c < made; c++) {
        loops[c].samples = channels[c];
        loops[c].count = count;
        memset(channels[c], 0, count * sizeof(float));
    }
    enum ebb_result result = event ? make_event(loops, made, progress, error)
                                   : make_texture(loops, made, progress, error);
    if (result == EBB_OK)
        finish(loops, made);
    if (result == EBB_OK && two && same)
        memcpy(channels[1], channels[0], count * sizeof(float));
    return result;
}
