#include "audio/phase.h"

#include "base/base.h"

#include <stdlib.h>
#include <string.h>

struct ebb_phase_stream {
    struct ebb_stft *stft;
    struct ebb_phase_stream_params params;
    struct ebb_phase *work;
    struct ebb_overlap *overlap;

    // Frames first..last-1 of the stream, at the front of the two arrays.
    size_t capacity;
    float *magnitude, *bins;
    uint64_t first, last;
    uint64_t added; // frames before this one went into the overlap-add

    // Samples not read yet.
    float *out;
    size_t out_from, out_to, out_capacity;
    size_t skip; // samples before the start that the overlap-add is still going to give
};

void ebb_phase_stream_params_default(struct ebb_phase_stream_params *params)
{
    *params = (struct ebb_phase_stream_params){.block = 32, .context = 8, .iterations = 16};
}

static bool allocate(struct ebb_phase_stream *stream)
{
    size_t block = (size_t)stream->params.block, context = (size_t)stream->params.context;
    size_t edge = (size_t)stream->stft->overlap;
    // At the most: an edge and a context kept from before, an odd block, an even one, the context after it.
    stream->capacity = 2 * block + 2 * context + edge + 1;
    stream->magnitude = ebb_stft_alloc_real(stream->stft, stream->capacity);
    stream->bins = ebb_stft_alloc_bins(stream->stft, stream->capacity);
    stream->work = ebb_phase_create(stream->stft, block + 2 * (context > edge ? context : edge));
    stream->overlap = ebb_overlap_create(stream->stft);
    return stream->magnitude && stream->bins && stream->work && stream->overlap;
}

struct ebb_phase_stream *ebb_phase_stream_create(struct ebb_stft *stft, const struct ebb_phase_stream_params *params)
{
    struct ebb_phase_stream_params defaults;
    ebb_phase_stream_params_default(&defaults);
    if (!params)
        params = &defaults;
    if (params->block < 1 || params->block < stft->overlap || params->block > 4096 || params->context < 0 ||
        params->context > params->block || params->iterations < 0)
        return NULL;

    struct ebb_phase_stream *stream = ebb_alloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->stft = stft;
    stream->params = *params;
    if (!allocate(stream)) {
        ebb_phase_stream_destroy(&stream);
        return NULL;
    }
    ebb_phase_stream_start(stream, 0);
    return stream;
}

void ebb_phase_stream_destroy(struct ebb_phase_stream **stream)
{
    if (!stream || !*stream)
        return;

    ebb_phase_destroy(&(*stream)->work);
    ebb_overlap_destroy(&(*stream)->overlap);
    free((*stream)->magnitude);
    free((*stream)->bins);
    free((*stream)->out);
    free(*stream);
    *stream = NULL;
}

size_t ebb_phase_stream_lead_in(const struct ebb_phase_stream *stream)
{
    // The earliest frame under a sample may be the first of an odd block: that needs the even block before, with context.
    return 2 * (size_t)stream->params.block + (size_t)stream->params.context + (size_t)stream->stft->overlap;
}

size_t ebb_phase_stream_look_ahead(const struct ebb_phase_stream *stream)
{
    // The last frame under a sample may be the first of an odd block: that needs the even block after, with context.
    return 2 * (size_t)stream->params.block + (size_t)stream->params.context + (size_t)stream->stft->overlap;
}

void ebb_phase_stream_start(struct ebb_phase_stream *stream, uint64_t frame)
{
    stream->first = stream->last = stream->added = frame;
    stream->out_from = stream->out_to = 0;
    stream->skip = (size_t)stream->stft->n_fft / 2;
    ebb_overlap_reset(stream->overlap);
}

static float *magnitude_of(struct ebb_phase_stream *stream, uint64_t frame)
{
    return stream->magnitude + (size_t)(frame - stream->first) * stream->stft->real_stride;
}

static float *bins_of(struct ebb_phase_stream *stream, uint64_t frame)
{
    return stream->bins + (size_t)(frame - stream->first) * stream->stft->bin_stride;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

// Finds the phases of frames from..to-1 and keeps them. `before` and `after` more frames take part: fixed, those whose
// phases are settled, or free.
static void solve(struct ebb_phase_stream *stream, uint64_t from, uint64_t to, size_t before, size_t after, bool fixed)
{
    const struct ebb_stft *stft = stream->stft;
    struct ebb_phase *work = stream->work;
    size_t frames = (size_t)(to - from) + before + after;

    memcpy(work->magnitude, magnitude_of(stream, from - before), frames * stft->real_stride * sizeof(float));
    memcpy(work->bins, bins_of(stream, from - before), frames * stft->bin_stride * sizeof(float));
    struct ebb_phase_span span = ebb_phase_piece(work, frames);
    if (fixed) {
        span.fixed_before = before;
        span.fixed_after = after;
    }
    ebb_phase_integrate(work, &span, stream->params.seed, from - before);
    ebb_phase_iterate(work, &span, stream->params.iterations);
    memcpy(bins_of(stream, from), work->bins + before * stft->bin_stride,
           (size_t)(to - from) * stft->bin_stride * sizeof(float));
}

// The even block from `start` on, as far as there are frames, then the odd one before it.
static void solve_pair(struct ebb_phase_stream *stream, uint64_t start)
{
    uint64_t block = (uint64_t)stream->params.block, context = (uint64_t)stream->params.context;
    uint64_t edge = (uint64_t)stream->stft->overlap;
    uint64_t from = clamp(start, stream->first, stream->last), to = clamp(start + block, stream->first, stream->last);
    uint64_t odd = clamp(start < block ? 0 : start - block, stream->first, stream->last);

    if (from < to)
        solve(stream, from, to, (size_t)(from - clamp(from < context ? 0 : from - context, stream->first, from)),
              (size_t)(clamp(to + context, to, stream->last) - to), false);
    if (odd < from)
        solve(stream, odd, from, (size_t)(odd - clamp(odd < edge ? 0 : odd - edge, stream->first, odd)),
              (size_t)(clamp(from + edge, from, to) - from), true);
}

static int reserve(struct ebb_phase_stream *stream, size_t more)
{
    if (stream->out_from) {
        memmove(stream->out, stream->out + stream->out_from, (stream->out_to - stream->out_from) * sizeof(float));
        stream->out_to -= stream->out_from;
        stream->out_from = 0;
    }
    if (more <= stream->out_capacity - stream->out_to)
        return 0;
    float *grown = realloc(stream->out, (stream->out_to + more) * sizeof(float));
    if (!grown)
        return -1;
    stream->out = grown;
    stream->out_capacity = stream->out_to + more;
    return 0;
}

// The `count` samples at the end of out are new: drop those that lie before the start.
static void accept(struct ebb_phase_stream *stream, size_t count)
{
    size_t drop = stream->skip < count ? stream->skip : count;
    memmove(stream->out + stream->out_to, stream->out + stream->out_to + drop, (count - drop) * sizeof(float));
    stream->out_to += count - drop;
    stream->skip -= drop;
}

// Frames before `until` are settled: into the overlap-add with them.
static int emit(struct ebb_phase_stream *stream, uint64_t until)
{
    size_t hop = (size_t)stream->stft->hop;
    if (reserve(stream, (size_t)(until - stream->added) * hop) != 0)
        return -1;
    for (; stream->added < until; stream->added++) {
        ebb_overlap_add(stream->overlap, bins_of(stream, stream->added), stream->out + stream->out_to);
        accept(stream, hop);
    }
    return 0;
}

// Forgets the frames nobody is going to ask for: the next to be worked on is `next`.
static void forget(struct ebb_phase_stream *stream, uint64_t next)
{
    const struct ebb_stft *stft = stream->stft;
    uint64_t keep = (uint64_t)(stft->overlap > stream->params.context ? stft->overlap : stream->params.context);
    uint64_t first = clamp(next < keep ? 0 : next - keep, stream->first, stream->last);
    size_t frames = (size_t)(stream->last - first);

    memmove(stream->magnitude, magnitude_of(stream, first), frames * stft->real_stride * sizeof(float));
    memmove(stream->bins, bins_of(stream, first), frames * stft->bin_stride * sizeof(float));
    stream->first = first;
}

int ebb_phase_stream_write(struct ebb_phase_stream *stream, const float *magnitude)
{
    uint64_t block = (uint64_t)stream->params.block, context = (uint64_t)stream->params.context;
    memcpy(magnitude_of(stream, stream->last), magnitude, (size_t)stream->stft->bins * sizeof(float));
    stream->last++;

    // An even block and its company are complete?
    if (stream->last < block + context || (stream->last - block - context) % (2 * block) != 0)
        return 0;
    uint64_t start = stream->last - block - context;
    solve_pair(stream, start);
    if (stream->added < start + block && emit(stream, start + block) != 0)
        return -1;
    forget(stream, start + block);
    return 0;
}

int ebb_phase_stream_finish(struct ebb_phase_stream *stream)
{
    // Pairs that are not done yet: at most one that is all there but for its context, and a last odd block.
    uint64_t block = (uint64_t)stream->params.block;
    for (uint64_t start = stream->added / (2 * block) * (2 * block); start < stream->last + block; start += 2 * block)
        if (start + block > stream->added)
            solve_pair(stream, start);

    size_t tail = (size_t)(stream->stft->n_fft - stream->stft->hop);
    if (emit(stream, stream->last) != 0 || reserve(stream, tail) != 0)
        return -1;
    ebb_overlap_finish(stream->overlap, stream->out + stream->out_to);
    accept(stream, tail);

    // What lies after the last frame's centre is only half a frame: it is not given out.
    size_t beyond = (size_t)(stream->stft->n_fft / 2), there = stream->out_to - stream->out_from;
    stream->out_to -= beyond < there ? beyond : there;
    return 0;
}

size_t ebb_phase_stream_available(const struct ebb_phase_stream *stream)
{
    return stream->out_to - stream->out_from;
}

size_t ebb_phase_stream_read(struct ebb_phase_stream *stream, float *samples, size_t count)
{
    size_t there = ebb_phase_stream_available(stream), taken = count < there ? count : there;
    if (taken)
        memcpy(samples, stream->out + stream->out_from, taken * sizeof(float));
    stream->out_from += taken;
    return taken;
}
