// Integrated loudness after ITU-R BS.1770-4.
#include <ebb/audio.h>

#include "base/base.h"

#include <math.h>
#include <stdlib.h>

struct biquad {
    double b0, b1, b2, a1, a2;
};

// The recommendation gives coefficients at 48 kHz; these are the analogue filters behind them, for any rate.
// A corner beyond what the rate can carry is moved down to it.
static double warp(double hz, double rate)
{
    return tan(M_PI * fmin(hz, 0.45 * rate) / rate);
}

static struct biquad head_shelf(double rate)
{
    const double q = 0.7071752369554196, high = pow(10, 3.999843853973347 / 20);
    double k = warp(1681.974450955533, rate), middle = pow(high, 0.4996667741545416);
    double a0 = 1 + k / q + k * k;
    return (struct biquad){(high + middle * k / q + k * k) / a0, 2 * (k * k - high) / a0,
                           (high - middle * k / q + k * k) / a0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0};
}

static struct biquad high_pass(double rate)
{
    const double q = 0.5003270373238773;
    double k = warp(38.13547087602444, rate), a0 = 1 + k / q + k * k;
    return (struct biquad){1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0};
}

static double filter(const struct biquad *f, double *z, double x)
{
    double y = f->b0 * x + z[0];
    z[0] = f->b1 * x - f->a1 * y + z[1];
    z[1] = f->b2 * x - f->a2 * y;
    return y;
}

static double weight_of(int channel, int channels)
{
    if (channels == 6 && channel == 3)
        return 0;
    return (channels == 5 && channel >= 3) || (channels == 6 && channel >= 4) ? 1.41 : 1;
}

// Adds one channel's K-weighted energy to the 100 ms pieces it falls into.
static void weigh_channel(const struct ebb_sound *sound, int channel, double *pieces, size_t length)
{
    struct biquad shelf = head_shelf(sound->rate), pass = high_pass(sound->rate);
    double z[4] = {0}, weight = weight_of(channel, sound->channels);
    for (size_t i = 0; i < sound->frames; i++) {
        double x = sound->samples[i * (size_t)sound->channels + (size_t)channel];
        double y = filter(&pass, z + 2, filter(&shelf, z, x));
        pieces[i / length] += weight * y * y;
    }
}

// Mean power of the blocks (four pieces each) above a threshold; 0: there is none.
static double gated(const double *pieces, size_t blocks, double length, double threshold)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < blocks; i++) {
        double power = (pieces[i] + pieces[i + 1] + pieces[i + 2] + pieces[i + 3]) / (4 * length);
        if (power > threshold) {
            sum += power;
            count++;
        }
    }
    return count ? sum / (double)count : 0;
}

double ebb_sound_loudness(const struct ebb_sound *sound)
{
    const double offset = -0.691; // makes a full-scale 997 Hz sine in one channel -3.01 LUFS
    size_t length = sound->rate >= 10 ? (size_t)sound->rate / 10 : 1;
    size_t whole = sound->frames / length, blocks = whole >= 4 ? whole - 3 : 1;
    double *pieces = ebb_alloc(whole + 5, sizeof(*pieces)); // the last, incomplete one counts in short sounds alone
    if (!pieces)
        return -INFINITY;

    for (int channel = 0; channel < sound->channels; channel++)
        weigh_channel(sound, channel, pieces, length);
    double absolute = pow(10, (-70 - offset) / 10);
    double power = gated(pieces, blocks, (double)length, absolute);
    double relative = power / 10; // 10 LU below
    power = gated(pieces, blocks, (double)length, relative > absolute ? relative : absolute);
    free(pieces);
    return power > 0 ? offset + 10 * log10(power) : -INFINITY;
}
