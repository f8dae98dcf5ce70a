// SPDX-License-Identifier: LGPL-2.1-or-later
// Voices alone: where a sound is heard, how it is cut, what happens when it comes late, and the sum.
#include "test.h"

#include "voices.h"

enum { ROOM = 8000 };
static float out[ROOM];

// Samples first, first + 1, ... : a position shows in the value.
static float *ramp(gsize first, gsize count)
{
    float *samples = g_new(float, count);
    for (gsize i = 0; i < count; i++)
        samples[i] = (float)(first + i);
    return samples;
}

static struct voice *event(guint64 start, gsize count)
{
    struct voice_order order = {.gain = 1, .start = start, .stop = VOICE_OPEN};
    struct voice *voice = voice_create(&order);
    voice_append(voice, ramp(1, count), count);
    voice->complete = TRUE;
    return voice;
}

// Mixes ROOM samples from `from` on, in steps.
static void mix(struct voice *voice, guint64 from, gsize step)
{
    memset(out, 0, sizeof(out));
    for (gsize at = 0; at < ROOM; at += step)
        voice_mix(voice, from + at, out + at, MIN(step, ROOM - at), 1);
}

TEST(an_event_begins_at_its_sample_whatever_the_steps)
{
    static const gsize steps[] = {1, 7, 1024, ROOM};
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
        struct voice *voice = event(1500, 1000);
        REQUIRE(voice_end(voice) == 2500 && voice_ready(voice) == VOICE_OPEN);
        mix(voice, 1000, steps[i]);
        for (gsize k = 0; k < ROOM; k++)
            REQUIRE(out[k] == (k >= 500 && k < 1500 ? (float)(k - 499) : 0));
        REQUIRE(voice->begun && voice->late == 0);
        voice_unref(&voice);
    }
}

TEST(parts_follow_each_other_and_are_freed)
{
    struct voice_order order = {.gain = 2, .start = 10, .stop = VOICE_OPEN};
    struct voice *voice = voice_create(&order);
    for (gsize i = 0; i < 5; i++)
        voice_append(voice, ramp(1 + 100 * i, 100), 100);
    REQUIRE(voice_end(voice) == VOICE_OPEN && voice_ready(voice) == 510);
    voice->complete = TRUE;
    mix(voice, 0, 64);
    for (gsize k = 0; k < 500; k++)
        REQUIRE(out[10 + k] == 2 * (float)(k + 1));
    REQUIRE(out[9] == 0 && out[510] == 0 && g_queue_get_length(&voice->parts) == 1);
    voice_unref(&voice);
}

// The definition of both fades is a straight line of 960 samples.
TEST(a_texture_fades_in_and_out)
{
    struct voice_order order = {.gain = 1, .texture = TRUE, .start = 100, .stop = 5100};
    struct voice *voice = voice_create(&order);
    float *ones = g_new(float, 6000);
    for (gsize i = 0; i < 6000; i++)
        ones[i] = 1;
    voice_append(voice, ones, 6000);
    REQUIRE(voice_end(voice) == 5100 && voice_ready(voice) == VOICE_OPEN);
    mix(voice, 0, 333);
    for (gsize k = 0; k < ROOM; k++) {
        double in = k < 100 ? 0 : MIN(1.0, (double)(k - 100) / 960);
        double left = k < 5100 ? MIN(1.0, (double)(5100 - k) / 960) : 0;
        REQUIRE_NEAR(out[k], in * left, 1e-6, "volume");
    }
    voice_unref(&voice);
}

TEST(the_beginning_can_be_skipped)
{
    struct voice *voice = event(0, 5000);
    voice->order.skip = 2000;
    REQUIRE(voice_end(voice) == 3000);
    mix(voice, 0, 100);
    REQUIRE(out[0] == 0); // faded in: it is cut there
    REQUIRE_NEAR(out[960], 2961, 0, "past the fade");
    REQUIRE(out[2999] == 5000 && out[3000] == 0);
    voice_unref(&voice);
}

// What is not made is not lost: it is heard as soon as it is there, and the lateness is counted.
TEST(a_late_event_is_heard_whole)
{
    struct voice_order order = {.gain = 1, .start = 100, .stop = VOICE_OPEN};
    struct voice *voice = voice_create(&order);
    REQUIRE(voice_ready(voice) == 100);
    memset(out, 0, sizeof(out));
    REQUIRE(!voice_mix(voice, 0, out, 50, 1));
    REQUIRE(!voice_mix(voice, 50, out + 50, 100, 1));
    voice_append(voice, ramp(1, 30), 30);
    voice->complete = TRUE;
    REQUIRE(voice_mix(voice, 150, out + 150, 100, 1));
    for (gsize k = 0; k < 250; k++)
        REQUIRE(out[k] == (k >= 150 && k < 180 ? (float)(k - 149) : 0));
    REQUIRE(voice->late == 50 && voice_end(voice) == 180);
    voice_unref(&voice);
}

TEST(a_late_texture_ends_in_time)
{
    struct voice_order order = {.gain = 1, .texture = TRUE, .start = 0, .stop = 300};
    struct voice *voice = voice_create(&order);
    memset(out, 0, sizeof(out));
    voice_mix(voice, 0, out, 400, 1);
    REQUIRE(voice_end(voice) == 300);
    voice_append(voice, ramp(1, 1000), 1000);
    voice->complete = TRUE;
    REQUIRE(!voice_mix(voice, 400, out + 400, 1000, 1));
    for (gsize k = 0; k < 1400; k++)
        REQUIRE(out[k] == 0);
    voice_unref(&voice);
}

// Both ways between a voice's channels and the mix's.
TEST(one_channel_and_two)
{
    struct voice *one = event(0, 100), *two = event(0, 0);
    two->channels = 2;
    voice_append(two, ramp(1, 200), 100);
    float stereo[200] = {0}, mono[100] = {0};
    REQUIRE(voice_mix(one, 0, stereo, 100, 2));
    for (int i = 0; i < 100; i++)
        REQUIRE(stereo[2 * i] == (float)(i + 1) && stereo[2 * i + 1] == (float)(i + 1));
    memset(stereo, 0, sizeof(stereo));
    REQUIRE(voice_mix(two, 0, stereo, 40, 2) && !voice_mix(two, 40, stereo + 80, 60, 2));
    for (int i = 0; i < 200; i++)
        REQUIRE(stereo[i] == (float)(i + 1));
    voice_unref(&one);
    voice_unref(&two);
    two = event(0, 0);
    two->channels = 2;
    voice_append(two, ramp(1, 200), 100);
    REQUIRE(voice_mix(two, 0, mono, 100, 1));
    for (int i = 0; i < 100; i++)
        REQUIRE(mono[i] == 2 * (float)i + 1.5f);
    voice_unref(&two);
}

TEST(positions_near_the_end_of_time)
{
    struct voice *voice = event(G_MAXINT64, 10);
    REQUIRE(voice_end(voice) == (guint64)G_MAXINT64 + 10);
    mix(voice, 0, ROOM);
    REQUIRE(out[0] == 0 && !voice->begun);
    voice_unref(&voice);
    voice_unref(&voice); // NULL is allowed
}

TEST(the_sum_is_bent_and_never_clips)
{
    float samples[4001];
    for (int i = 0; i <= 4000; i++)
        samples[i] = (float)(i - 2000) / 100;
    voices_limit(samples, 4001);
    for (int i = 0; i <= 4000; i++) {
        double x = (i - 2000) / 100.0, size = fabs(x);
        double want = size <= 0.9 ? size : 0.9 + 0.1 * tanh((size - 0.9) / 0.1);
        REQUIRE_NEAR(samples[i], copysign(want, x), 1e-6, "the curve");
        REQUIRE(fabsf(samples[i]) <= 1 && (!i || samples[i] >= samples[i - 1]));
    }
    float loud = 0.8912509f; // -1 dB: the loudest sound that is made
    voices_limit(&loud, 1);
    REQUIRE(loud == 0.8912509f);
    float broken[] = {1e30f, -1e30f, INFINITY};
    voices_limit(broken, 3);
    REQUIRE(broken[0] == 1 && broken[1] == -1 && broken[2] == 1);
}

TEST_MAIN
