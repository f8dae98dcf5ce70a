#include <ebb/audio.h>

#include "test.h"
#include "waves.h"

enum { most = 48000 * 20 };
static float samples[2 * most];

static struct ebb_sound sine(int rate, int channels, double seconds, double db)
{
    struct ebb_sound sound = {samples, (size_t)(seconds * rate), channels, rate, NULL};
    for (size_t i = 0; i < sound.frames; i++)
        for (int c = 0; c < channels; c++)
            samples[i * (size_t)channels + (size_t)c] =
                (float)(pow(10, db / 20) * sin(2 * M_PI * 997 * (double)i / rate));
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
    REQUIRE(ebb_sound_loudness(&sound) == -INFINITY && ebb_sound_peak(&sound) == 0);
    sound = sine(48000, 1, 2, -90);
    REQUIRE(ebb_sound_loudness(&sound) == -INFINITY);
}

TEST(gain_moves_the_peak)
{
    struct ebb_sound sound = sine(48000, 2, 1, -12);
    ebb_sound_gain(&sound, -1 - 20 * log10(ebb_sound_peak(&sound)));
    REQUIRE_NEAR(20 * log10(ebb_sound_peak(&sound)), -1, 1e-5, "peak");
}

TEST(trim_keeps_what_is_heard)
{
    static float x[2000];
    x[2 * 300 + 1] = 0.5f;
    x[2 * 310] = -0.4f;
    x[2 * 600] = 0.0004f; // 62 dB down
    struct ebb_sound sound = {x, 1000, 2, 1000, NULL};
    ebb_sound_trim(&sound, -60, 0.005);
    REQUIRE(sound.frames == 5 + 11 + 5);
    REQUIRE(x[2 * 5 + 1] == 0.5f && x[2 * 15] == -0.4f);
    ebb_sound_trim(&sound, -60, 1); // no more than there is
    REQUIRE(sound.frames == 21);
    memset(x, 0, sizeof(x));
    ebb_sound_trim(&sound, -60, 0);
    REQUIRE(sound.frames == 21);
    sound.frames = 0;
    ebb_sound_trim(&sound, -60, 0);
    ebb_sound_fade(&sound, 1, 1);
}

TEST(fades_start_and_end_at_zero)
{
    static float x[100];
    for (int i = 0; i < 100; i++)
        x[i] = 1;
    struct ebb_sound sound = {x, 100, 1, 100, NULL};
    ebb_sound_fade(&sound, 0.2, 0.1);
    REQUIRE(x[0] == 0 && x[99] == 0 && x[20] == 1 && x[89] == 1);
    REQUIRE_NEAR(x[10], 0.5, 1e-6, "half way up");
    for (int i = 1; i <= 20; i++)
        REQUIRE(x[i] > x[i - 1]);
    ebb_sound_fade(&sound, 100, 100);
}

TEST_MAIN
