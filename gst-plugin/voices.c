// SPDX-License-Identifier: LGPL-2.1-or-later
#include "voices.h"

#include <math.h>

enum { FADE = 960 }; // samples at both ends of a texture, and where a sound is cut

struct voice_part {
    float *samples;
    gsize count;
};

struct voice *voice_create(const struct voice_order *order)
{
    struct voice *voice = g_atomic_rc_box_new0(struct voice);
    voice->order = *order;
    if (order->prompt)
        g_ref_string_acquire(order->prompt);
    g_queue_init(&voice->parts);
    voice->channels = 1;
    return voice;
}

struct voice *voice_ref(struct voice *voice)
{
    return g_atomic_rc_box_acquire(voice);
}

static void drop_part(struct voice *voice)
{
    struct voice_part *part = g_queue_pop_head(&voice->parts);
    voice->base += part->count;
    g_free(part->samples);
    g_free(part);
}

static void clear(gpointer data)
{
    struct voice *voice = data;
    while (!g_queue_is_empty(&voice->parts))
        drop_part(voice);
    g_clear_pointer(&voice->order.prompt, g_ref_string_release);
    g_clear_pointer(&voice->recipe, g_free);
}

void voice_unref(struct voice **voice)
{
    if (*voice)
        g_atomic_rc_box_release_full(*voice, clear);
    *voice = NULL;
}

void voice_append(struct voice *voice, float *samples, gsize count)
{
    struct voice_part *part = g_new0(struct voice_part, 1);
    *part = (struct voice_part){samples, count};
    g_queue_push_tail(&voice->parts, part);
    voice->made += count;
}

// ---- where it lies ----

// The position behind what is made.
static guint64 made_until(const struct voice *voice)
{
    guint64 heard = voice->made > voice->order.skip ? voice->made - voice->order.skip : 0;
    return voice->order.start + heard;
}

guint64 voice_end(const struct voice *voice)
{
    guint64 end = voice->complete ? made_until(voice) : VOICE_OPEN;
    return MIN(end, voice->order.stop);
}

guint64 voice_ready(const struct voice *voice)
{
    guint64 made = made_until(voice);
    return voice->complete || made >= voice->order.stop ? VOICE_OPEN : made;
}

// ---- mixing ----

// The volume at position `at`.
static float fade(const struct voice *voice, guint64 at)
{
    const struct voice_order *order = &voice->order;
    guint64 in = at - order->start, out = order->stop - at;
    float gain = (float)order->gain;
    if ((order->texture || order->skip) && in < FADE)
        gain *= (float)in / FADE;
    if (out < FADE)
        gain *= (float)out / FADE;
    return gain;
}

// The samples of number `k`, one of each channel, which are made; parts in front of them are freed.
static const float *samples_at(struct voice *voice, guint64 k)
{
    const struct voice_part *part = g_queue_peek_head(&voice->parts);
    while (k - voice->base >= part->count) {
        drop_part(voice);
        part = g_queue_peek_head(&voice->parts);
    }
    return part->samples + (k - voice->base) * voice->channels;
}

static void add(const float *samples, guint from, float gain, float *to, guint channels)
{
    if (from == 2 && channels == 1)
        *to += gain * (samples[0] + samples[1]) / 2;
    else
        for (guint c = 0; c < channels; c++)
            to[c] += gain * samples[c < from ? c : 0];
}

static void delay(struct voice *voice, guint64 samples)
{
    voice->late += samples;
    voice->order.start += samples;
}

gboolean voice_mix(struct voice *voice, guint64 from, float *to, gsize count, guint channels)
{
    struct voice_order *order = &voice->order;
    if (!voice->begun && order->start < from)
        delay(voice, from - order->start);
    guint64 end = MIN(from + count, voice_end(voice)), at = MAX(from, order->start);
    guint64 ready = MIN(end, made_until(voice));
    gboolean begins = !voice->begun && at < ready;
    for (; at < ready; at++)
        add(samples_at(voice, at - order->start + order->skip), voice->channels, fade(voice, at),
            to + (at - from) * channels, channels);
    voice->begun = voice->begun || begins;
    if (at < end)
        delay(voice, end - at);
    return begins;
}

void voices_limit(float *samples, gsize count)
{
    const float room = 1 - VOICES_KNEE;
    for (gsize i = 0; i < count; i++) {
        float size = fabsf(samples[i]);
        if (size > VOICES_KNEE)
            samples[i] = copysignf(VOICES_KNEE + room * tanhf((size - VOICES_KNEE) / room), samples[i]);
    }
}
