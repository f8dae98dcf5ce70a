// SPDX-License-Identifier: LGPL-2.1-or-later
// Sample rate conversion, ours (speexdsp 8) beside the libraries that Debian has:
//     bench-resample
// A line per pair of rates and candidate:
//   latency  most input that goes in before the output of its time is there (pieces of 32 frames)
//   shift    by how much the output is late beside t = 0, part of the latency
//   alias    the loudest thing in the output that is not the full-scale sine of the input; sines up to
//            0.995 of the lower Nyquist frequency, and from 1.005 of it on
//   ripple   largest change of a sine's level up to 0.9 of the lower Nyquist frequency
//   time     processor time for 10 s of noise in pieces of 1024 frames, least of 5, beside ours
#include <ebb/resample.h>

#include <math.h>
#include <samplerate.h>
#include <soxr.h>
#include <speex/speex_resampler.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct candidate {
    const char *name;
    void *(*create)(int in_rate, int out_rate, int quality);
    size_t (*run)(void *state, const float *in, size_t frames, float *out, size_t room); // mono; returns
                                                                                         // frames
    void (*destroy)(void *state);
    int quality;
};

// ---- candidates ----

static void *own_create(int in_rate, int out_rate, int quality)
{
    (void)quality;
    return ebb_resampler_create(in_rate, out_rate, 1, NULL);
}

static size_t own_run(void *state, const float *in, size_t frames, float *out, size_t room)
{
    return ebb_resampler_write(state, in, frames, NULL) == EBB_OK ? ebb_resampler_read(state, out, room) : 0;
}

static void own_destroy(void *state)
{
    struct ebb_resampler *resampler = state;
    ebb_resampler_destroy(&resampler);
}

enum { SMALL_DFT = 1 << 16 };

static void *soxr_make(int in_rate, int out_rate, int quality)
{
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_quality_spec_t recipe = soxr_quality_spec((unsigned long)(quality & ~SMALL_DFT), 0);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    if (quality & SMALL_DFT)
        runtime.log2_min_dft_size = runtime.log2_large_dft_size = 8;
    return soxr_create(in_rate, out_rate, 1, NULL, &io, &recipe, &runtime);
}

static size_t soxr_run(void *state, const float *in, size_t frames, float *out, size_t room)
{
    size_t got = 0, used, done = 0;
    do {
        soxr_process(state, in, frames, &used, out + got, room - got, &done);
        in += used;
        frames -= used;
        got += done;
    } while (frames || done);
    return got;
}

static void soxr_end(void *state)
{
    soxr_delete(state);
}

static void *speex_create(int in_rate, int out_rate, int quality)
{
    SpeexResamplerState *state = speex_resampler_init(1, (unsigned)in_rate, (unsigned)out_rate, quality,
                                                      NULL);
    if (state)
        speex_resampler_skip_zeros(state); // t = 0 stays where it is
    return state;
}

static size_t speex_run(void *state, const float *in, size_t frames, float *out, size_t room)
{
    size_t got = 0;
    while (frames) {
        spx_uint32_t used = (spx_uint32_t)frames, done = (spx_uint32_t)(room - got);
        speex_resampler_process_float(state, 0, in, &used, out + got, &done);
        in += used;
        frames -= used;
        got += done;
    }
    return got;
}

static void speex_destroy(void *state)
{
    speex_resampler_destroy(state);
}

struct secret_rabbit {
    SRC_STATE *state;
    double ratio;
};

static void *rabbit_create(int in_rate, int out_rate, int quality)
{
    struct secret_rabbit *rabbit = calloc(1, sizeof(*rabbit));
    int error = 0;
    if (!rabbit)
        return NULL;
    rabbit->ratio = (double)out_rate / in_rate;
    rabbit->state = src_new(quality, 1, &error);
    return rabbit;
}

static size_t rabbit_run(void *state, const float *in, size_t frames, float *out, size_t room)
{
    struct secret_rabbit *rabbit = state;
    size_t got = 0;
    SRC_DATA data = {.src_ratio = rabbit->ratio};
    do {
        data.data_in = in;
        data.input_frames = (long)frames;
        data.data_out = out + got;
        data.output_frames = (long)(room - got);
        src_process(rabbit->state, &data);
        in += data.input_frames_used;
        frames -= (size_t)data.input_frames_used;
        got += (size_t)data.output_frames_gen;
    } while (frames || data.output_frames_gen);
    return got;
}

static void rabbit_destroy(void *state)
{
    struct secret_rabbit *rabbit = state;
    src_delete(rabbit->state);
    free(rabbit);
}

static const struct candidate candidates[] = {
    {"ours", own_create, own_run, own_destroy, 0},
    {"soxr HQ", soxr_make, soxr_run, soxr_end, SOXR_HQ},
    {"soxr HQ, small DFT", soxr_make, soxr_run, soxr_end, SOXR_HQ | SMALL_DFT},
    {"soxr HQ, min. phase", soxr_make, soxr_run, soxr_end, SOXR_HQ | SOXR_MINIMUM_PHASE | SMALL_DFT},
    {"soxr MQ, small DFT", soxr_make, soxr_run, soxr_end, SOXR_MQ | SMALL_DFT},
    {"soxr LQ, small DFT", soxr_make, soxr_run, soxr_end, SOXR_LQ | SMALL_DFT},
    {"speexdsp 10", speex_create, speex_run, speex_destroy, 10},
    {"speexdsp 9", speex_create, speex_run, speex_destroy, 9},
    {"speexdsp 7", speex_create, speex_run, speex_destroy, 7},
    {"speexdsp 6", speex_create, speex_run, speex_destroy, 6},
    {"libsamplerate best", rabbit_create, rabbit_run, rabbit_destroy, SRC_SINC_BEST_QUALITY},
    {"libsamplerate medium", rabbit_create, rabbit_run, rabbit_destroy, SRC_SINC_MEDIUM_QUALITY},
    {"libsamplerate fastest", rabbit_create, rabbit_run, rabbit_destroy, SRC_SINC_FASTEST},
};
enum { candidate_count = sizeof(candidates) / sizeof(candidates[0]) };

static const int pairs[][2] = {{44100, 48000}, {48000, 44100}, {32000, 48000}, {48000, 32000},
                               {16000, 48000}, {48000, 16000}, {8000, 48000},  {48000, 8000},
                               {96000, 48000}, {48000, 96000}};
enum { pair_count = sizeof(pairs) / sizeof(pairs[0]) };

// ---- measures ----

enum { room = 1 << 19 };
static float output[room];

struct result {
    double latency, shift, alias, ripple; // latency and shift in input frames, alias and ripple in dB
    double seconds;                       // of processor time
};

// How much of `output` is a sine of `hz`: amplitude and the time by which it is late; the rest's rms against
// a full-scale sine's. Ends are left out.
struct fit {
    double amplitude, late, rest_db;
};

static struct fit fit_sine(size_t count, double hz, double rate)
{
    size_t edge = count / 4;
    double w = 2 * M_PI * hz / rate, ss = 0, sc = 0, cc = 0, xs = 0, xc = 0, rest = 0;
    for (size_t i = edge; i < count - edge; i++) {
        double s = sin(w * (double)i), c = cos(w * (double)i);
        ss += s * s;
        sc += s * c;
        cc += c * c;
        xs += output[i] * s;
        xc += output[i] * c;
    }
    double det = ss * cc - sc * sc, a = (xs * cc - xc * sc) / det, b = (xc * ss - xs * sc) / det;
    if (hz > rate / 2)
        a = b = 0; // whatever there is, it is none of it
    for (size_t i = edge; i < count - edge; i++) {
        double off = output[i] - a * sin(w * (double)i) - b * cos(w * (double)i);
        rest += off * off;
    }
    rest /= (double)(count - 2 * edge);
    return (struct fit){hypot(a, b), atan2(-b, a) / (2 * M_PI * hz), 10 * log10(2 * rest + 1e-30)};
}

static struct fit convert_sine(const struct candidate *c, int in_rate, int out_rate, double hz)
{
    static float in[48000];
    size_t count = (size_t)in_rate / 2;
    for (size_t i = 0; i < count; i++)
        in[i] = (float)sin(2 * M_PI * hz * (double)i / in_rate);
    void *state = c->create(in_rate, out_rate, c->quality);
    size_t got = c->run(state, in, count, output, room);
    c->destroy(state);
    return fit_sine(got, hz, out_rate);
}

static double measure_latency(const struct candidate *c, int in_rate, int out_rate)
{
    enum { piece = 32, pieces = 1024 };
    static const float silence[piece];
    void *state = c->create(in_rate, out_rate, c->quality);
    double worst = 0;
    size_t answered = 0;
    for (size_t i = 1; i <= pieces; i++) {
        answered += c->run(state, silence, piece, output, room);
        double waiting = (double)(i * piece) - (double)answered * in_rate / out_rate;
        worst = waiting > worst ? waiting : worst;
    }
    c->destroy(state);
    return worst;
}

static double measure_time(const struct candidate *c, int in_rate, int out_rate)
{
    enum { piece = 1024, times = 5 };
    static float noise[piece];
    double best = INFINITY;
    for (int i = 0; i < piece; i++)
        noise[i] = (float)rand() / (float)RAND_MAX - 0.5f;
    for (int i = 0; i < times; i++) {
        void *state = c->create(in_rate, out_rate, c->quality);
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (int at = 0; at < 10 * in_rate; at += piece)
            c->run(state, noise, piece, output, room);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        c->destroy(state);
        double took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) * 1e-9;
        best = took < best ? took : best;
    }
    return best;
}

static struct result measure(const struct candidate *c, int in_rate, int out_rate)
{
    static const double parts[] = {0.05,  0.1,  0.3,   0.5, 0.7, 0.8, 0.85, 0.9,
                                   0.95,  0.98, 0.995, // of the lower Nyquist
                                   1.005, 1.02, 1.05,  1.1, 1.3, 1.5, 1.7,  1.9};
    double lower = (in_rate < out_rate ? in_rate : out_rate) / 2.0;
    struct result r = {.alias = -300};
    r.shift = convert_sine(c, in_rate, out_rate, 0.05 * lower).late * in_rate;
    r.latency = measure_latency(c, in_rate, out_rate) + r.shift;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && parts[i] * lower < 0.999 * in_rate / 2; i++) {
        struct fit fit = convert_sine(c, in_rate, out_rate, parts[i] * lower);
        r.alias = fit.rest_db > r.alias ? fit.rest_db : r.alias;
        double change = parts[i] <= 0.9 ? fabs(20 * log10(fit.amplitude)) : 0;
        r.ripple = change > r.ripple ? change : r.ripple;
    }
    r.seconds = measure_time(c, in_rate, out_rate);
    return r;
}

int main(void)
{
    printf("%-16s %-22s %9s %9s %8s %9s %8s %6s\n", "rates", "", "latency", "ms", "shift", "alias dB",
           "ripple", "time");
    for (int p = 0; p < pair_count; p++) {
        double own = 0;
        for (int c = 0; c < candidate_count; c++) {
            struct result r = measure(&candidates[c], pairs[p][0], pairs[p][1]);
            own = c ? own : r.seconds;
            printf("%5d -> %-7d %-22s %9.1f %9.2f %8.3f %9.1f %8.3f %6.2f\n", pairs[p][0], pairs[p][1],
                   candidates[c].name, r.latency, 1000 * r.latency / pairs[p][0], r.shift, r.alias, r.ripple,
                   r.seconds / own);
            fflush(stdout);
        }
    }
    return 0;
}
