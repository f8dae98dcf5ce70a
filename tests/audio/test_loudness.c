// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/audio.h>
#include <ebb/meter.h>

#include "test.h"
#include "waves.h"

enum { most = 48000 * 20 };
static float samples[2 * most];

static struct ebb_sound sine(int rate, int channels, double seconds, double db)
{
    struct ebb_sound sound = {.samples = samples,
                              .frames = (size_t)(seconds * rate),
                              .channels = channels,
                              .rate = rate};
    for (size_t i = 0; i < sound.frames; i++)
        for (int c = 0; c < channels; c++)
            samples[i * (size_t)channels + (size_t)c] = (float)(pow(10, db / 20) *
                                                                sin(2 * M_PI * 997 * (double)i / rate));
    return sound;
}

// EBU Tech 3341: a stereo sine of -23 dBFS reads -23 LUFS; one channel of full scale -3.01.
TEST(sines_read_what_the_standard_says)
{
    static const int rates[] = {16000, 22050, 44100, 48000, 96000};
    for (int i = 0; i < 5; i++) {
        struct ebb_sound stereo = sine(rates[i], 2, 4, -23);
        REQUIRE_NEAR(ebb_sound_loudness(&stereo), -23, 0.1, "-23 dBFS, stereo");
        struct ebb_sound mono = sine(rates[i], 1, 4, 0);
        REQUIRE_NEAR(ebb_sound_loudness(&mono), -3.01, 0.1, "0 dBFS, mono");
    }
}

// 5.0 and 5.1 lie as in a WAV: surround channels weigh 1.41, the low-frequency one nothing. Other numbers of
// channels weigh all of them alike.
TEST(channels_weigh_what_the_standard_says)
{
    static const struct {
        int channels, heard;
        double db; // above one channel of weight 1
    } cases[] = {{5, 0, 0},    {5, 2, 0},    {5, 3, 1.49}, {5, 4, 1.49}, {6, 2, 0},
                 {6, 4, 1.49}, {6, 5, 1.49}, {4, 3, 0},    {8, 7, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ebb_sound sound = sine(48000, cases[i].channels, 1, -20);
        for (size_t k = 0; k < sound.frames * (size_t)sound.channels; k++)
            if ((int)(k % (size_t)sound.channels) != cases[i].heard)
                samples[k] = 0;
        REQUIRE_NEAR(ebb_sound_loudness(&sound), -23.01 + cases[i].db, 0.02, "one channel");
    }
    struct ebb_sound sound = sine(48000, 6, 1, -20);
    for (size_t k = 0; k < sound.frames * 6; k++)
        samples[k] = k % 6 == 3 ? samples[k] : 0;
    REQUIRE(ebb_sound_loudness(&sound) == -INFINITY);
}

// Direct form I with the coefficients that the recommendation prints for 48 kHz.
static void biquad(double *x, size_t count, const double *b, const double *a)
{
    double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
    for (size_t i = 0; i < count; i++) {
        double y = b[0] * x[i] + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2;
        x2 = x1;
        x1 = x[i];
        y2 = y1;
        y1 = x[i] = y;
    }
}

// Mean power of the 400 ms blocks above a threshold.
static double gated(const double *x, size_t count, double threshold)
{
    double sum = 0, blocks = 0;
    for (size_t from = 0; from + 19200 <= count; from += 4800) {
        double power = 0;
        for (size_t i = from; i < from + 19200; i++)
            power += x[i] * x[i] / 19200;
        if (power > threshold) {
            sum += power;
            blocks++;
        }
    }
    return sum / blocks;
}

static double definition(const float *from, size_t count)
{
    double *x = calloc(count, sizeof(*x));
    REQUIRE(x);
    for (size_t i = 0; i < count; i++)
        x[i] = from[i];
    biquad(x, count, (double[]){1.53512485958697, -2.69169618940638, 1.19839281085285},
           (double[]){-1.69065929318241, 0.73248077421585});
    biquad(x, count, (double[]){1, -2, 1}, (double[]){-1.99004745483398, 0.99007225036621});
    double absolute = pow(10, (-70 + 0.691) / 10), relative = gated(x, count, absolute) / 10;
    double lufs = -0.691 + 10 * log10(gated(x, count, fmax(absolute, relative)));
    free(x);
    return lufs;
}

TEST(noise_reads_what_the_definition_gives)
{
    struct ebb_sound sound = {.samples = samples, .frames = 48000 * 5, .channels = 1, .rate = 48000};
    fill_noise(samples, sound.frames, 1, 0.5f);
    for (size_t i = 0; i < sound.frames; i++)
        samples[i] *= (float)exp(-(double)i / 30000); // the end falls below the gates
    REQUIRE_NEAR(ebb_sound_loudness(&sound), definition(samples, sound.frames), 1e-6, "fading noise");
}

TEST(quiet_stretches_are_gated)
{
    struct ebb_sound sound = sine(48000, 1, 20, -20);
    double whole = ebb_sound_loudness(&sound);
    for (size_t i = 480000; i < 960000; i++)
        samples[i] *= 0.01f; // 40 dB less, more than 10 LU below
    REQUIRE_NEAR(ebb_sound_loudness(&sound), whole, 0.1, "half of it quiet");
    for (size_t i = 480000; i < 960000; i++)
        samples[i] *= 50; // 6 dB less than the first half: counts
    REQUIRE_NEAR(ebb_sound_loudness(&sound), whole + 10 * log10(0.625), 0.1, "half of it 6 dB down");
}

TEST(short_and_silent_sounds_have_an_answer)
{
    struct ebb_sound sound = sine(48000, 1, 0.2, 0);
    REQUIRE_NEAR(ebb_sound_loudness(&sound), -6.02, 0.1, "0.2 s");
    sound.frames = 0;
    REQUIRE(ebb_sound_loudness(&sound) == -INFINITY);
    sound = sine(48000, 1, 2, -90);
    REQUIRE(ebb_sound_loudness(&sound) == -INFINITY);
}

TEST(pieces_are_measured_as_the_whole)
{
    struct ebb_sound sound = {.samples = samples, .frames = 48000 * 5, .channels = 2, .rate = 48000};
    fill_noise(samples, sound.frames * 2, 3, 0.5f);
    struct ebb_meter *meter = ebb_meter_create(2, 48000, NULL);
    REQUIRE(meter);
    for (size_t at = 0, count; at < sound.frames; at += count) {
        count = sound.frames - at < 7777 ? sound.frames - at : 7777;
        REQUIRE(ebb_meter_add(meter, samples + 2 * at, count, NULL) == EBB_OK);
    }
    REQUIRE(ebb_meter_peak(meter) == ebb_sound_peak(&sound));
    REQUIRE(ebb_meter_loudness(meter) == ebb_sound_loudness(&sound));
    ebb_meter_destroy(&meter);
    struct ebb_error error;
    REQUIRE(!ebb_meter_create(2, 0, &error) && strstr(error.message, "2 channels at 0 Hz"));
}

TEST_MAIN
