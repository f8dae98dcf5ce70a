#include "audio/polyphase.h"

#include "audio/fft.h"
#include "base/base.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { lanes = 16 };                      // taps are a multiple of this
static const double least_taps = 192;     // in samples of the lower rate
static const double most_floats = 262144; // of the table: 1 MiB
static const double attenuation = 100;    // dB

struct ebb_polyphase {
    uint64_t up, down; // out_rate : in_rate, in lowest terms
    size_t taps, channels;
    float *table;     // up rows of taps: row p makes the output p / up after an input sample
    float *held;      // `channels` rows of `capacity` input samples
    size_t capacity;
    size_t filled;    // samples in each row
    uint64_t first;   // where the row starts, counted from half a filter before the first input sample
    uint64_t next;    // output frame to be taken next
};

static int common_divisor(int a, int b)
{
    return b ? common_divisor(b, a % b) : a;
}

static double taps_for(int in_rate, int out_rate)
{
    double taps = least_taps * (in_rate > out_rate ? (double)in_rate / out_rate : 1);
    return ceil(taps / lanes) * lanes;
}

bool ebb_polyphase_suits(int in_rate, int out_rate)
{
    double up = (double)out_rate / common_divisor(in_rate, out_rate);
    return up * taps_for(in_rate, out_rate) <= most_floats;
}

// Modified Bessel function of the first kind, order 0.
static double bessel(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; term > 1e-12 * sum; k++) {
        term *= (x / 2 / k) * (x / 2 / k);
        sum += term;
    }
    return sum;
}

// Kaiser-windowed sinc; the transition ends at half the lower rate.
static void fill_table(struct ebb_polyphase *p, double lower)
{
    double beta = 0.1102 * (attenuation - 8.7), half = (double)p->taps / 2;
    double width = (attenuation - 8) / (2.285 * 2 * M_PI * (double)p->taps), cut = lower / 2 - width / 2;

    for (size_t phase = 0; phase < p->up; phase++) {
        float *row = p->table + phase * p->taps;
        double sum = 0;
        for (size_t i = 0; i < p->taps; i++) {
            double t = (double)i - (half - 1) - (double)phase / (double)p->up, x = t / half;
            double sinc = fabs(t) < 1e-9 ? 2 * cut : sin(2 * M_PI * cut * t) / (M_PI * t);
            row[i] = (float)(sinc * bessel(beta * sqrt(fmax(1 - x * x, 0))));
            sum += row[i];
        }
        for (size_t i = 0; i < p->taps; i++)
            row[i] = (float)(row[i] / sum); // a constant stays what it is, at every phase
    }
}

struct ebb_polyphase *ebb_polyphase_create(int in_rate, int out_rate, size_t channels)
{
    struct ebb_polyphase *p = ebb_alloc(1, sizeof(*p));
    if (!p)
        return NULL;

    int divisor = common_divisor(in_rate, out_rate);
    p->up = (uint64_t)(out_rate / divisor);
    p->down = (uint64_t)(in_rate / divisor);
    p->taps = (size_t)taps_for(in_rate, out_rate);
    p->channels = channels;
    p->table = ebb_fft_alloc((size_t)p->up, p->taps);
    ebb_polyphase_reset(p);
    if (p->table && ebb_polyphase_put(p, NULL, 0) == 0) {
        fill_table(p, in_rate > out_rate ? (double)out_rate / in_rate : 1);
        return p;
    }
    ebb_polyphase_destroy(&p);
    return NULL;
}

void ebb_polyphase_destroy(struct ebb_polyphase **polyphase)
{
    if (!polyphase || !*polyphase)
        return;

    free((*polyphase)->table);
    free((*polyphase)->held);
    free(*polyphase);
    *polyphase = NULL;
}

void ebb_polyphase_reset(struct ebb_polyphase *p)
{
    // The silence before the sound, as far as the first output reaches back.
    p->filled = p->capacity ? p->taps / 2 - 1 : 0;
    for (size_t c = 0; p->held && c < p->channels; c++)
        memset(p->held + c * p->capacity, 0, p->filled * sizeof(float));
    p->first = p->next = 0;
}

size_t ebb_polyphase_reach(const struct ebb_polyphase *p)
{
    return p->taps / 2;
}

size_t ebb_polyphase_ready(const struct ebb_polyphase *p)
{
    // Output k needs the samples k * down / up .. + taps - 1, so there are those that start before `end`.
    uint64_t samples = p->first + p->filled;
    if (samples < p->taps)
        return 0;
    uint64_t end = samples - p->taps + 1, outputs = (end * p->up + p->down - 1) / p->down;
    return outputs > p->next ? (size_t)(outputs - p->next) : 0;
}

// Drops what no output needs any more and makes room for `more` samples in every row.
static int make_room(struct ebb_polyphase *p, size_t more)
{
    uint64_t needed = p->next * p->down / p->up;
    size_t drop = needed > p->first ? (size_t)(needed - p->first) : 0;
    drop = drop < p->filled ? drop : p->filled;
    bool begin = !p->capacity;
    size_t keep = p->filled - drop, capacity = p->capacity;
    if (begin || keep + more > capacity)
        capacity = 2 * (keep + more + p->taps);

    float *held = p->held;
    if (capacity != p->capacity && !(held = ebb_alloc(capacity, p->channels * sizeof(float))))
        return -1;
    for (size_t c = 0; c < p->channels && keep; c++)
        memmove(held + c * capacity, p->held + c * p->capacity + drop, keep * sizeof(float));
    if (held != p->held)
        free(p->held);
    p->held = held;
    p->capacity = capacity;
    p->filled = keep;
    p->first += drop;
    if (begin)
        ebb_polyphase_reset(p);
    return 0;
}

int ebb_polyphase_put(struct ebb_polyphase *p, const float *input, size_t frames)
{
    if (frames > SIZE_MAX / 16 / p->channels || make_room(p, frames) != 0)
        return -1;
    for (size_t c = 0; c < p->channels; c++) {
        float *row = p->held + c * p->capacity + p->filled;
        for (size_t i = 0; i < frames; i++)
            row[i] = input ? input[i * p->channels + c] : 0;
    }
    p->filled += frames;
    return 0;
}

static float dot(const float *restrict a, const float *restrict b, size_t count)
{
    float sums[lanes] = {0}, sum = 0;
    for (size_t i = 0; i < count; i += lanes)
        for (size_t j = 0; j < lanes; j++)
            sums[j] += a[i + j] * b[i + j];
    for (size_t j = 0; j < lanes; j++)
        sum += sums[j];
    return sum;
}

void ebb_polyphase_take(struct ebb_polyphase *p, float *output, size_t frames)
{
    for (size_t i = 0; i < frames; i++, p->next++) {
        uint64_t position = p->next * p->down; // in units of 1 / up input samples
        const float *row = p->table + position % p->up * p->taps, *from = p->held + (position / p->up - p->first);
        for (size_t c = 0; c < p->channels; c++)
            output[i * p->channels + c] = dot(row, from + c * p->capacity, p->taps);
    }
}
