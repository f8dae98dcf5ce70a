// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/audio.h>

#include "test.h"
#include "waves.h"

TEST(gain_moves_the_peak)
{
    static float x[96000];
    struct ebb_sound sound = {.samples = x, .frames = 48000, .channels = 2, .rate = 48000};
    fill_sine(x, 96000, 997, 96000, 0.25);
    ebb_sound_gain(&sound, -1 - 20 * log10(ebb_sound_peak(&sound)));
    REQUIRE_NEAR(20 * log10(ebb_sound_peak(&sound)), -1, 1e-5, "peak");
    sound.frames = 0;
    REQUIRE(ebb_sound_peak(&sound) == 0);
}

TEST(trim_keeps_what_is_heard)
{
    static float x[2000];
    x[2 * 300 + 1] = 0.5f;
    x[2 * 310] = -0.4f;
    x[2 * 600] = 0.0004f; // 62 dB down
    struct ebb_sound sound = {.samples = x, .frames = 1000, .channels = 2, .rate = 1000};
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

// 50 samples at 39 dB below the peak are the attack; 41 dB below it lies in front.
TEST(a_lead_is_cut_to_its_length)
{
    static float x[2 * 1000];
    struct ebb_sound sound = {.samples = x, .frames = 1000, .channels = 2, .rate = 1000};
    for (int i = 100; i < 200; i++)
        x[2 * i] = 0.0089f * 0.9f;
    for (int i = 200; i < 250; i++)
        x[2 * i + 1] = -0.0112f;
    x[2 * 300] = 0.9f;
    ebb_sound_lead(&sound, 0.02);
    REQUIRE(sound.frames == 1000 - 180);
    REQUIRE(x[2 * 20 + 1] == -0.0112f && x[2 * 120] == 0.9f);
    REQUIRE(x[0] == 0 && x[2 * 10] > 0 && x[2 * 10] < 0.0079f && x[2 * 19] < 0.0081f); // faded in
    ebb_sound_lead(&sound, 0.02); // again: there is no more in front
    REQUIRE(sound.frames == 1000 - 180 && x[2 * 20 + 1] == -0.0112f);
    ebb_sound_lead(&sound, 60); // more than there is
    REQUIRE(sound.frames == 1000 - 180);
    memset(x, 0, sizeof(x));
    ebb_sound_lead(&sound, 0); // silence
    REQUIRE(sound.frames == 1000 - 180);
    sound.frames = 0;
    ebb_sound_lead(&sound, 0.005);
    REQUIRE(sound.frames == 0);
}

TEST(fades_start_and_end_at_zero)
{
    static float x[100];
    for (int i = 0; i < 100; i++)
        x[i] = 1;
    struct ebb_sound sound = {.samples = x, .frames = 100, .channels = 1, .rate = 100};
    ebb_sound_fade(&sound, 0.2, 0.1);
    REQUIRE(x[0] == 0 && x[99] == 0 && x[20] == 1 && x[89] == 1);
    REQUIRE_NEAR(x[10], 0.5, 1e-6, "half way up");
    for (int i = 1; i <= 20; i++)
        REQUIRE(x[i] > x[i - 1]);
    ebb_sound_fade(&sound, 100, 100);
}

TEST_MAIN
