// SPDX-License-Identifier: LGPL-2.1-or-later
// diffusefx: cues in, sounds in their places out. Times, silence, mixing, flushes, bad input, live.
#include "common.h"
#include "fx_stats.h"

#include <ebb/ebb.h>

// bell is an event, rain and wind are textures; a window has 2.73 s
#define TINY "diffusefx name=f model=tiny-sfx steps=1 phase-iterations=1 seed=3 device=cpu threads=1 "
#define TEXT "text/x-raw,format=utf8"
#define MONO "audio/x-raw,format=" GST_AUDIO_NE(F32) ",channels=1,rate=48000,layout=interleaved"
#define AT(s) ((GstClockTime)((s)*GST_SECOND))
#define NONE GST_CLOCK_TIME_NONE

enum { RATE = 48000 };

static GstHarness *open_fx(const char *line)
{
    GstHarness *h = harness_new(line);
    gst_harness_set_live(h, FALSE);
    gst_harness_set_sink_caps_str(h, MONO);
    gst_harness_set_src_caps_str(h, TEXT);
    return h;
}

// With a live source in front of it. The harness's clock is a test clock, which stands still until it is told
// to go on.
static GstHarness *open_live_harness(const char *settings)
{
    char *line = g_strconcat(TINY, settings, NULL);
    GstHarness *h = harness_new(line);
    g_free(line);
    gst_harness_use_testclock(h);
    gst_harness_set_live(h, TRUE);
    gst_harness_set_upstream_latency(h, 100 * GST_MSECOND);
    gst_harness_set_sink_caps_str(h, MONO);
    gst_harness_set_src_caps_str(h, TEXT);
    return h;
}

static GstBuffer *bytes_at(const char *bytes, gsize size, GstClockTime start, GstClockTime duration)
{
    GstBuffer *buffer = gst_buffer_new_memdup(bytes, size);
    GST_BUFFER_PTS(buffer) = start;
    GST_BUFFER_DURATION(buffer) = duration;
    return buffer;
}

static GstFlowReturn cue(GstHarness *h, const char *text, GstClockTime start, GstClockTime duration)
{
    return gst_harness_push(h, bytes_at(text, strlen(text), start, duration));
}

// Ends the cues, and collects all buffers up to the end of the stream. A harness alone waits for a minute.
static void finish(GstHarness *h, struct sound *sound)
{
    sound_init(sound);
    REQUIRE(gst_harness_push_event(h, gst_event_new_eos()));
    gint64 begin = g_get_monotonic_time();
    for (gboolean ended = FALSE; !ended;) {
        GstBuffer *buffer = NULL;
        gboolean came = gst_harness_pull_until_eos(h, &buffer);
        if (buffer)
            sound_add(sound, buffer);
        ended = came && !buffer;
        REQUIRE(came || seconds_since(begin) < PATIENCE);
    }
}

static GstStructure *stats_of(GstHarness *h)
{
    GstStructure *stats;
    g_object_get(h->element, "stats", &stats, NULL);
    return stats;
}

static guint64 stat(GstHarness *h, const char *field)
{
    guint64 value = G_MAXUINT64;
    GstStructure *stats = stats_of(h);
    REQUIRE(gst_structure_get_uint64(stats, field, &value));
    gst_structure_free(stats);
    return value;
}

static gboolean is_zero(const struct sound *sound, gsize from, gsize to)
{
    return loudest(floats(sound) + from, to - from) == 0;
}

static guint count_warnings(GstHarness *h)
{
    GstMessage *message;
    guint count = 0;
    for (; (message = wait_message(h->element, GST_MESSAGE_WARNING, 0)); count++)
        gst_message_unref(message);
    return count;
}

TEST(states)
{
    REQUIRE(goes_up_and_down(TINY));
    REQUIRE(goes_up_and_down(TINY "is-live=true prepare=bell"));
    REQUIRE(goes_up_and_down("diffusefx model=there-is-none"));
}

// An event begins at its cue, a texture lasts as long as its cue, and all else is silence.
TEST(sounds_stand_where_their_cues_do)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    REQUIRE(cue(h, "[BELL RINGING]", AT(0.5), AT(0.25)) == GST_FLOW_OK);
    REQUIRE(cue(h, "Hello, Bell!", AT(0.75), AT(1)) == GST_FLOW_OK); // spoken
    REQUIRE(cue(h, "<i>rain</i>", AT(4), AT(1)) == GST_FLOW_OK);
    REQUIRE(cue(h, "Goodbye.", AT(5.5), AT(0.5)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(sound.first == 0 && sound.exact && sound.end == AT(6) && float_count(&sound) == 6 * RATE);
    REQUIRE(is_zero(&sound, 0, RATE / 2) && is_zero(&sound, 4 * RATE - RATE / 10, 4 * RATE));
    REQUIRE(is_zero(&sound, 5 * RATE, 6 * RATE));
    REQUIRE(loudest(floats(&sound) + RATE / 2, RATE / 20) > 1e-4f); // trimmed: it begins at once
    for (gsize at = 4 * RATE; at < 5 * RATE; at += RATE / 10)
        REQUIRE(loudest(floats(&sound) + at, RATE / 10) > 1e-5f);
    REQUIRE(sound.gaps > 10 && sound.gaps < sound.buffers && sound.disconts == 1);
    REQUIRE(stat(h, "cues") == 4 && stat(h, "sounds") == 2 && stat(h, "unplaced") == 0);
    REQUIRE(stat(h, "late") == 0);
    sound_clear(&sound);
    harness_end(h);
}

static void render(const char *line, const char *text, GstClockTime start, GstClockTime duration,
                   struct sound *sound)
{
    GstHarness *h = open_fx(line);
    REQUIRE(cue(h, text, start, duration) == GST_FLOW_OK);
    finish(h, sound);
    harness_end(h);
}

static gboolean same(const struct sound *a, const struct sound *b)
{
    return a->bytes->len == b->bytes->len && memcmp(a->bytes->data, b->bytes->data, a->bytes->len) == 0;
}

TEST(the_seed_and_the_time_of_the_cue_make_the_sound)
{
    struct sound a, b, c, d;
    render(TINY, "[bell]", AT(0.1), AT(0.1), &a);
    render(TINY "samplesperbuffer=77 lookahead=1", "(bells)", AT(0.1), AT(0.1), &b);
    render(TINY "seed=4", "[bell]", AT(0.1), AT(0.1), &c);
    render(TINY, "[bell]", AT(0.2), AT(0.1), &d);
    REQUIRE(same(&a, &b));
    REQUIRE(!same(&a, &c));
    gsize shift = RATE / 10, count = MIN(float_count(&a), float_count(&d) - shift);
    REQUIRE(memcmp(floats(&a), floats(&d) + shift, count * sizeof(float)) != 0);
    sound_clear(&a);
    sound_clear(&b);
    sound_clear(&c);
    sound_clear(&d);
}

// What the message tells makes the sound again.
TEST(messages_tell_label_and_seed)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    REQUIRE(cue(h, "[bell]", AT(0.25), AT(0.1)) == GST_FLOW_OK);
    finish(h, &sound);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_ELEMENT, 0);
    REQUIRE(message && gst_message_has_name(message, "diffuse-cue"));
    const GstStructure *structure = gst_message_get_structure(message);
    guint64 seed, timestamp;
    REQUIRE_STRING(gst_structure_get_string(structure, "label"), "bell");
    REQUIRE(gst_structure_get_uint64(structure, "seed", &seed));
    REQUIRE(gst_structure_get_uint64(structure, "timestamp", &timestamp) && timestamp == AT(0.25));
    gst_message_unref(message);

    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("cpu", 1, NULL, &error);
    struct ebb_model *model = ebb_model_open("tiny-sfx", &error);
    struct ebb_recipe *recipe = ebb_recipe_create(EBB_VERB_GENERATE);
    REQUIRE(device && model && recipe && ebb_model_load(model, device, &error) == EBB_OK);
    ebb_recipe_set(recipe, "label", "bell", NULL);
    ebb_recipe_set(recipe, "steps", "1", NULL);
    ebb_recipe_set(recipe, "phase-iterations", "1", NULL);
    ebb_recipe_set_seed(recipe, "seed", seed, NULL);
    gsize count = ebb_generate_length(model, recipe, &error);
    struct ebb_sound alone = {.samples = malloc(count * sizeof(float)),
                              .frames = count,
                              .channels = 1,
                              .rate = RATE};
    REQUIRE(ebb_generate(model, recipe, alone.samples, count, NULL, &error) == EBB_OK);
    ebb_sound_trim(&alone, -60, 0.005);
    ebb_sound_lead(&alone, 0.005);
    ebb_sound_fade(&alone, 0, 0.02);
    REQUIRE(float_count(&sound) == RATE / 4 + alone.frames);
    for (gsize i = 0; i < alone.frames; i++)
        REQUIRE(floats(&sound)[RATE / 4 + i] == alone.samples[i]);
    free(alone.samples);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    sound_clear(&sound);
    harness_end(h);
}

#define WIDE TINY "width=1 "

static void render_stereo(const char *line, const char *text, GstClockTime duration, struct sound *sound)
{
    GstHarness *h = harness_new(line);
    gst_harness_set_live(h, FALSE);
    gst_harness_set_sink_caps_str(h, "audio/x-raw,format=" GST_AUDIO_NE(F32) ",channels=2,rate=48000,"
                                                                             "layout=interleaved");
    gst_harness_set_src_caps_str(h, TEXT);
    REQUIRE(cue(h, text, 0, duration) == GST_FLOW_OK);
    finish(h, sound);
    harness_end(h);
}

// How alike the channels are from frame `from` on, -1..1.
static double alike(const struct sound *sound, gsize from)
{
    double xx = 1e-30, yy = 1e-30, xy = 0;
    for (gsize i = from; i < float_count(sound) / 2; i++) {
        double x = floats(sound)[2 * i], y = floats(sound)[2 * i + 1];
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    return xy / sqrt(xx * yy);
}

// Width parts the channels where there are two: of a texture in one window, and of one clip by clip. Without
// a width both are what one channel is; with one channel the width changes nothing.
TEST(width_is_for_two_channels)
{
    struct sound one, still_one, both, wide, longer;
    render(TINY, "[rain]", AT(0), AT(2), &one);
    render(WIDE, "[rain]", AT(0), AT(2), &still_one);
    render_stereo(TINY, "[rain]", AT(2), &both);
    render_stereo(WIDE, "[rain]", AT(2), &wide);
    render_stereo(WIDE, "[rain]", AT(6), &longer);
    REQUIRE(same(&one, &still_one));
    REQUIRE(float_count(&both) == 2 * float_count(&one) && float_count(&wide) == float_count(&both));
    for (gsize i = 0; i < float_count(&one); i++)
        REQUIRE(floats(&both)[2 * i] == floats(&one)[i] && floats(&both)[2 * i + 1] == floats(&one)[i]);
    REQUIRE(fabs(alike(&wide, 0)) < 0.3 && fabs(alike(&longer, 0)) < 0.3);
    REQUIRE(float_count(&longer) == 2 * 6 * RATE);
    sound_clear(&one);
    sound_clear(&still_one);
    sound_clear(&both);
    sound_clear(&wide);
    sound_clear(&longer);
}

// The recipe in the message is the one of the sound: read again, it makes its samples.
TEST(the_message_has_the_recipe)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    REQUIRE(cue(h, "[rain]", AT(0), AT(1)) == GST_FLOW_OK);
    finish(h, &sound);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_ELEMENT, 0);
    REQUIRE(message && gst_message_has_name(message, "diffuse-cue"));
    const char *text = gst_structure_get_string(gst_message_get_structure(message), "recipe");
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create("cpu", 1, NULL, &error);
    struct ebb_model *model = ebb_model_open("tiny-sfx", &error);
    struct ebb_recipe *recipe = text ? ebb_recipe_read(text, &error) : NULL;
    REQUIRE(device && model && recipe && ebb_model_load(model, device, &error) == EBB_OK);
    REQUIRE_STRING(ebb_recipe_text(recipe, "label"), "rain");
    gsize count = ebb_generate_length(model, recipe, &error);
    float *alone = malloc(count * sizeof(float));
    REQUIRE(alone && ebb_generate(model, recipe, alone, count, NULL, &error) == EBB_OK);
    for (gsize i = RATE / 10; i < RATE - RATE / 10; i++) // between the fades
        REQUIRE(floats(&sound)[i] == alone[i]);
    free(alone);
    gst_message_unref(message);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
    ebb_device_destroy(&device);
    sound_clear(&sound);
    harness_end(h);
}

// A distant bell is the bell, 14 dB down.
TEST(words_for_loudness)
{
    struct sound plain, distant;
    render(TINY, "[bell]", AT(0), AT(0.1), &plain);
    render(TINY, "[distant bell]", AT(0), AT(0.1), &distant);
    REQUIRE(float_count(&plain) == float_count(&distant));
    double gain = pow(10, -14 / 20.0);
    for (gsize i = 0; i < float_count(&plain); i++)
        REQUIRE_NEAR(floats(&distant)[i], gain * floats(&plain)[i], 1e-6, "14 dB down");
    sound_clear(&plain);
    sound_clear(&distant);
}

// The sum is bent above 0.9, as voices.h has it, and nothing else is done to it.
TEST(overlapping_cues_are_mixed)
{
    struct sound bell, rain, both;
    render(TINY "volume=3", "[bell]", AT(0.2), AT(0.1), &bell);
    render(TINY "volume=3", "[rain]", AT(0), AT(1.5), &rain);
    GstHarness *h = open_fx(TINY "volume=3");
    REQUIRE(cue(h, "[rain]", AT(0), AT(1.5)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[bell]", AT(0.2), AT(0.1)) == GST_FLOW_OK);
    finish(h, &both);
    harness_end(h);
    gsize count = MIN(float_count(&bell), float_count(&rain)), compared = 0;
    for (gsize i = 0; i < count; i++) {
        double a = floats(&bell)[i], b = floats(&rain)[i], sum = fabs(a + b);
        if (fabs(a) > 0.9 || fabs(b) > 0.9) // bent on its own
            continue;
        double want = sum <= 0.9 ? sum : 0.9 + 0.1 * tanh((sum - 0.9) / 0.1);
        REQUIRE_NEAR(floats(&both)[i], copysign(want, a + b), 1e-5, "the sum");
        compared += a != 0 && b != 0;
    }
    REQUIRE(compared > 1000 && loudest(floats(&both), float_count(&both)) <= 1);
    sound_clear(&bell);
    sound_clear(&rain);
    sound_clear(&both);
}

// A texture longer than a window is made clip by clip.
TEST(a_long_texture_goes_on)
{
    struct sound sound;
    render(TINY "lookahead=1", "[wind howling]", AT(0), AT(7.3), &sound);
    REQUIRE(float_count(&sound) == (gsize)(7.3 * RATE + 0.5));
    for (gsize at = 0; at + RATE / 5 < float_count(&sound); at += RATE / 5)
        REQUIRE(loudest(floats(&sound) + at, RATE / 5) > 1e-5f);
    sound_clear(&sound);
}

TEST(the_tail_is_bounded)
{
    struct sound whole, cut;
    render(TINY, "[bell]", AT(0), AT(0.2), &whole);
    render(TINY "tail=0.1", "[bell]", AT(0), AT(0.2), &cut);
    gsize stop = (gsize)(0.3 * RATE + 0.5);
    REQUIRE(float_count(&whole) > stop && float_count(&cut) == stop);
    REQUIRE(memcmp(floats(&whole), floats(&cut), (stop - RATE / 20) * sizeof(float)) == 0);
    REQUIRE(fabsf(floats(&cut)[stop - 1]) <= fabsf(floats(&whole)[stop - 1])); // faded
    sound_clear(&whole);
    sound_clear(&cut);
}

// ---- time without cues ----

static gsize pull_frames(GstHarness *h, gsize frames)
{
    gsize got = 0;
    while (got < frames) {
        GstBuffer *buffer = gst_harness_pull(h); // waits for a minute
        REQUIRE(buffer);
        got += gst_buffer_get_size(buffer) / sizeof(float);
        gst_buffer_unref(buffer);
    }
    return got;
}

// The text pad is silent for long: a gap, and the next cue, make sound go on up to them and not further.
TEST(gaps_and_cues_tell_how_far_sound_can_go)
{
    GstHarness *h = open_fx(TINY);
    REQUIRE(gst_harness_push_event(h, gst_event_new_gap(0, AT(1))));
    REQUIRE(pull_frames(h, RATE) == RATE);
    REQUIRE(cue(h, "Hello.", AT(1.5), AT(1)) == GST_FLOW_OK);
    REQUIRE(pull_frames(h, RATE / 2) == RATE / 2);
    REQUIRE(gst_harness_push_event(h, gst_event_new_gap(AT(1.5), AT(0.25))));
    REQUIRE(pull_frames(h, RATE / 4) == RATE / 4);
    g_usleep(50000);
    REQUIRE(gst_harness_buffers_in_queue(h) == 0);
    harness_end(h);
}

TEST(a_stream_without_cues_is_a_stream)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    finish(h, &sound);
    REQUIRE(sound.buffers == 0);
    gboolean caps = FALSE, segment = FALSE;
    for (GstEvent *event; (event = gst_harness_try_pull_event(h)); gst_event_unref(event)) {
        caps = caps || GST_EVENT_TYPE(event) == GST_EVENT_CAPS;
        segment = segment || GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT;
    }
    REQUIRE(caps && segment);
    sound_clear(&sound);
    harness_end(h);
}

TEST(other_formats)
{
    GstHarness *h = harness_new(TINY);
    gst_harness_set_live(h, FALSE);
    gst_harness_set_sink_caps_str(h, "audio/x-raw,format=S16LE,rate=44100,channels=2,layout=interleaved");
    gst_harness_set_src_caps_str(h, "text/x-raw,format=pango-markup");
    struct sound sound;
    REQUIRE(cue(h, "[bell]", AT(1), AT(0.1)) == GST_FLOW_OK);
    REQUIRE(cue(h, "Bye!", AT(2), AT(2.5)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(sound.exact && sound.end == AT(4.5) && sound.bytes->len == (guint)(4.5 * 44100 * 4));
    const gint16 *samples = (const gint16 *)(const void *)sound.bytes->data;
    gboolean heard = FALSE;
    for (gsize i = 0; i < (gsize)(4.5 * 44100); i++) {
        REQUIRE(samples[2 * i] == samples[2 * i + 1]);
        REQUIRE(i >= 44100 - 200 || samples[2 * i] == 0);
        heard = heard || samples[2 * i] != 0;
    }
    REQUIRE(heard && sound.gaps > 0);
    sound_clear(&sound);
    harness_end(h);
}

// A model that is asked in words gets the caption itself, and its sound lasts as long as the cue.
TEST(captions_are_prompts_of_a_model_that_takes_them)
{
    GstHarness *h = harness_new("diffusefx model=tiny-riffusion steps=1 seed=3 device=cpu threads=1");
    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, TEXT);
    struct sound sound;
    REQUIRE(cue(h, "Hello! [a dog\nBARKS in the yard]", AT(0.5), AT(0.1)) == GST_FLOW_OK);
    finish(h, &sound);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_ELEMENT, 0);
    REQUIRE(message);
    const GstStructure *structure = gst_message_get_structure(message);
    REQUIRE_STRING(gst_structure_get_string(structure, "prompt"), "a dog BARKS in the yard");
    gst_message_unref(message);
    REQUIRE(sound.end == AT(0.6) && stat(h, "sounds") == 1 && stat(h, "unplaced") == 0);
    REQUIRE(loudest(floats(&sound), float_count(&sound)) > 1e-6f);
    sound_clear(&sound);
    harness_end(h);
}

// ---- segments, seeks and flushes ----

static void push_segment(GstHarness *h, GstClockTime start, GstClockTime stop, double rate)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = segment.position = start;
    segment.stop = stop;
    segment.rate = rate;
    gst_harness_push_event(h, gst_event_new_segment(&segment));
}

static void flush(GstHarness *h)
{
    REQUIRE(gst_harness_push_event(h, gst_event_new_flush_start()));
    REQUIRE(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
}

static void drop_buffers(GstHarness *h)
{
    for (GstBuffer *buffer; (buffer = gst_harness_try_pull(h));)
        gst_buffer_unref(buffer);
}

// After a seek, a cue has the sound that it had before.
TEST(a_seek_gives_the_same_sound)
{
    struct sound whole, part;
    GstHarness *h = open_fx(TINY);
    REQUIRE(cue(h, "[rain]", AT(0), AT(2)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[bell]", AT(2.5), AT(1)) == GST_FLOW_OK);
    finish(h, &whole);
    harness_end(h);
    h = open_fx(TINY);
    REQUIRE(cue(h, "[wind]", AT(0), AT(2)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[wind]", AT(5), AT(2)) == GST_FLOW_OK);
    pull_frames(h, RATE / 10);
    flush(h);
    drop_buffers(h);
    push_segment(h, AT(1), NONE, 1);
    REQUIRE(cue(h, "[rain]", AT(0), AT(2)) == GST_FLOW_OK); // it began before the seek
    REQUIRE(cue(h, "[bell]", AT(2.5), AT(1)) == GST_FLOW_OK);
    finish(h, &part);
    gsize after = float_count(&part), fade = 960;
    REQUIRE(part.first == AT(1) && part.exact && after == float_count(&whole) - RATE);
    REQUIRE(part.disconts == 1);
    REQUIRE(memcmp(floats(&part) + fade, floats(&whole) + RATE + fade, (after - fade) * sizeof(float)) == 0);
    sound_clear(&whole);
    sound_clear(&part);
    harness_end(h);
}

TEST(a_segment_has_an_end)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    push_segment(h, AT(1), AT(1.5), 1);
    REQUIRE(cue(h, "[rain]", AT(1), AT(60)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[wind]", AT(2), AT(60)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(sound.first == AT(1) && sound.end == AT(1.5) && float_count(&sound) == RATE / 2);
    REQUIRE(stat(h, "sounds") <= 1);
    sound_clear(&sound);
    harness_end(h);
}

// A second segment without a flush: what is left of the first is played out in front of it.
TEST(segments_follow_each_other)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    REQUIRE(cue(h, "[rain]", AT(0), AT(0.5)) == GST_FLOW_OK);
    push_segment(h, AT(10), NONE, 1);
    REQUIRE(cue(h, "[rain]", AT(10), AT(0.5)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == RATE && sound.first == 0 && sound.end == AT(10.5));
    REQUIRE(loudest(floats(&sound), RATE / 4) > 1e-5f);
    REQUIRE(loudest(floats(&sound) + RATE / 2, RATE / 4) > 1e-5f);
    sound_clear(&sound);
    harness_end(h);
}

TEST(seeks_go_upstream_and_never_backwards)
{
    GstHarness *h = open_fx(TINY);
    REQUIRE(cue(h, "Hello.", AT(0), AT(1)) == GST_FLOW_OK);
    GstEvent *seek = gst_event_new_seek(-1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
                                        GST_SEEK_TYPE_SET, GST_SECOND);
    REQUIRE(!gst_harness_push_upstream_event(h, seek));
    guint before = gst_harness_upstream_events_received(h);
    seek = gst_event_new_seek(1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, GST_SECOND,
                              GST_SEEK_TYPE_NONE, -1);
    gst_harness_push_upstream_event(h, seek);
    REQUIRE(gst_harness_upstream_events_received(h) == before + 1);
    harness_end(h);
}

// A flush does not wait for a long computation.
TEST(a_flush_cancels)
{
    GstHarness *h = open_fx("diffusefx model=tiny-sfx steps=1000 device=ref seed=1");
    REQUIRE(cue(h, "[bell]", AT(0), AT(1)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[bell]", AT(2), AT(1)) == GST_FLOW_OK);
    g_usleep(300000);
    gint64 begin = g_get_monotonic_time();
    flush(h);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "flush");
    push_segment(h, 0, NONE, 1);
    struct sound sound;
    REQUIRE(cue(h, "Nothing.", AT(0), AT(1)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == RATE && is_zero(&sound, 0, RATE));
    sound_clear(&sound);
    harness_end(h);
}

struct pushing {
    GstHarness *h;
    GstFlowReturn result;
    gint ended; // atomic
};

// Cues that come in an hour: at some time there is no room for more.
static gpointer push_cues(gpointer data)
{
    struct pushing *pushing = data;
    for (int i = 0; pushing->result == GST_FLOW_OK; i++)
        pushing->result = cue(pushing->h, "[bell]", AT(3600 + i), AT(1));
    g_atomic_int_set(&pushing->ended, 1);
    return NULL;
}

// Live: a flush ends the wait of a cue for which the queue has no room.
TEST(a_flush_frees_a_cue_that_waits_for_room)
{
    struct pushing pushing = {.h = open_live_harness("lookahead=1")};
    GThread *thread = g_thread_new("cues", push_cues, &pushing);
    gint64 begin = g_get_monotonic_time();
    for (guint64 cues = 0, before = 1; cues != before || cues < 256; g_usleep(200000)) {
        REQUIRE(seconds_since(begin) < PATIENCE);
        before = cues;
        cues = stat(pushing.h, "cues");
    }
    REQUIRE(!g_atomic_int_get(&pushing.ended));
    REQUIRE(gst_harness_push_event(pushing.h, gst_event_new_flush_start()));
    for (begin = g_get_monotonic_time(); !g_atomic_int_get(&pushing.ended); g_usleep(10000))
        REQUIRE(seconds_since(begin) < LONG);
    g_thread_join(thread);
    REQUIRE(gst_harness_push_event(pushing.h, gst_event_new_flush_stop(TRUE)));
    REQUIRE(pushing.result == GST_FLOW_FLUSHING);
    harness_end(pushing.h);
}

TEST(it_stops_during_a_long_computation)
{
    GstHarness *h = open_fx("diffusefx model=tiny-sfx steps=1000 device=ref seed=1");
    for (int i = 0; i < 300; i++) // more than are queued
        if (i < 200)
            REQUIRE(cue(h, "[bell]", AT(i), AT(1)) == GST_FLOW_OK);
    g_usleep(300000);
    gint64 begin = g_get_monotonic_time();
    gst_element_set_state(h->element, GST_STATE_NULL);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "NULL");
    harness_end(h);
}

// ---- bad input ----

TEST(what_has_no_label_is_told)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    REQUIRE(cue(h, "[bel] [xyzzy]", AT(0), AT(0.1)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[bel]", AT(0.1), AT(0.1)) == GST_FLOW_OK); // no second warning
    REQUIRE(message_is(h->element, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                       "bell"));
    for (int i = 0; i < 100; i++) {
        char *text = g_strdup_printf("[noise%d]", i);
        REQUIRE(cue(h, text, AT(0.2), AT(0.1)) == GST_FLOW_OK);
        g_free(text);
    }
    finish(h, &sound);
    REQUIRE(count_warnings(h) == 9 && stat(h, "unplaced") == 103);
    GstStructure *stats = stats_of(h);
    const GValue *texts = gst_structure_get_value(stats, "unplaced-texts");
    REQUIRE(gst_value_array_get_size(texts) == 32);
    REQUIRE_STRING(g_value_get_string(gst_value_array_get_value(texts, 1)), "xyzzy");
    gst_structure_free(stats);
    REQUIRE(is_zero(&sound, 0, float_count(&sound)));
    sound_clear(&sound);
    harness_end(h);
}

static void pad_to(GString *text, gsize words)
{
    for (gsize i = 0; i < words; i++)
        g_string_append(text, "word ");
}

// Each is taken, bounded in time, and the stream goes on to its end.
TEST(odd_cues_do_no_harm)
{
    GString *large = g_string_new("[bell] ");
    pad_to(large, 10000);
    const struct {
        const char *name, *text;
        gsize size;
        GstClockTime start, duration;
        gsize frames;    // of the stream, with the cue that follows at 1 s; 0: with its tail
        gboolean sounds; // it is heard
    } cases[] = {
        {"10 000 words", large->str, large->len, AT(0.1), AT(0.1), 2 * RATE, TRUE},
        {"Latin-1", "[bell] caf\xe9", 11, AT(0.1), AT(0.1), 2 * RATE, TRUE},
        {"no UTF-8", "\xff\xfe\x80[rain]\xc3", 10, AT(0.1), AT(0.1), 2 * RATE, TRUE},
        {"markup", "<b><i>[rain</i>]</b>", 20, AT(0.1), AT(0.1), 2 * RATE, TRUE},
        {"broken markup", "<b <i>[rain&#;</i", 17, AT(0.1), AT(0.1), 2 * RATE, TRUE},
        {"zero length, event", "[bell]", 6, AT(0.1), 0, 2 * RATE, TRUE},
        {"zero length, texture", "[rain]", 6, AT(0.1), 0, 0, TRUE}, // lasts as cue-duration has it
        {"no duration", "[rain]", 6, AT(0.1), NONE, 0, TRUE},
        {"an end before the start", "[rain]", 6, AT(0.1), (GstClockTime)-GST_SECOND, 0, TRUE},
        {"no time", "[rain]", 6, NONE, AT(0.1), 2 * RATE, TRUE},
        {"a start below zero", "[rain]", 6, (GstClockTime)-GST_SECOND, AT(0.1), 2 * RATE, TRUE},
        {"no time, no duration", "[bell]", 6, NONE, NONE, 2 * RATE, TRUE},
        {"empty", "", 0, AT(0.1), AT(0.1), 2 * RATE, FALSE},
        {"a zero byte", "\0[rain]", 7, AT(0.1), AT(0.1), 2 * RATE, FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstHarness *h = open_fx(TINY "tail=0 cue-duration=2");
        struct sound sound;
        GstBuffer *buffer = cases[i].size
                                ? bytes_at(cases[i].text, cases[i].size, cases[i].start, cases[i].duration)
                                : gst_buffer_new();
        REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
        REQUIRE(cue(h, "Bye.", AT(1), AT(1)) == GST_FLOW_OK);
        finish(h, &sound);
        gsize want = cases[i].frames ? cases[i].frames : (gsize)(2.1 * RATE + 0.5);
        REQUIRE_NEAR((double)float_count(&sound), (double)want, 0, cases[i].name);
        if ((loudest(floats(&sound), float_count(&sound)) > 0) != cases[i].sounds)
            TEST_FAIL("%s: heard or not", cases[i].name);
        sound_clear(&sound);
        harness_end(h);
    }
    g_string_free(large, TRUE);
}

TEST(cues_out_of_order)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    REQUIRE(cue(h, "Hello.", AT(3), AT(0.1)) == GST_FLOW_OK);
    REQUIRE(cue(h, "[rain]", AT(1), AT(3)) == GST_FLOW_OK);     // what of it is still to come is heard
    REQUIRE(cue(h, "[bell]", AT(2.5), AT(0.1)) == GST_FLOW_OK); // late, and heard
    REQUIRE(cue(h, "[bell]", AT(1), AT(0.1)) == GST_FLOW_OK);   // far too late
    finish(h, &sound);
    REQUIRE(is_zero(&sound, 0, 3 * RATE) && float_count(&sound) >= 4 * RATE);
    REQUIRE(loudest(floats(&sound) + 3 * RATE, RATE / 2) > 1e-5f);
    REQUIRE(stat(h, "late") == 2 && stat(h, "unplaced") == 1);
    REQUIRE(message_is(h->element, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                       "order"));
    sound_clear(&sound);
    harness_end(h);
}

// As many as there may be at once are heard; the rest is told, and nothing hangs.
TEST(a_thousand_cues_at_once)
{
    GstHarness *h = open_fx(TINY);
    struct sound sound;
    for (int i = 0; i < 1000; i++)
        REQUIRE(cue(h, "[rain]", AT(0.5), AT(0.1)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == (gsize)(0.6 * RATE + 0.5));
    REQUIRE(stat(h, "unplaced") == 1000 - 64 && stat(h, "sounds") == 64);
    REQUIRE(loudest(floats(&sound), float_count(&sound)) <= 1);
    sound_clear(&sound);
    harness_end(h);
}

TEST(many_cues_one_after_the_other)
{
    GstHarness *h = open_fx(TINY "tail=0");
    struct sound sound;
    for (int i = 0; i < 2000; i++) // far more than are queued
        REQUIRE(cue(h, i % 500 ? "Talk." : "[bell]", AT(0.01 * i), AT(0.01)) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 20 * RATE && stat(h, "sounds") == 4);
    sound_clear(&sound);
    harness_end(h);
}

static void errs(const char *line, GQuark domain, gint code, const char *text)
{
    GstElement *fx = gst_object_ref_sink(gst_parse_launch(line, NULL));
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(fx, bus);
    gst_object_unref(bus);
    gst_element_set_state(fx, GST_STATE_PAUSED);
    int good = message_is(fx, GST_MESSAGE_ERROR, domain, code, text);
    gst_element_set_state(fx, GST_STATE_NULL);
    gst_element_set_bus(fx, NULL);
    gst_object_unref(fx);
    if (!good)
        TEST_FAIL("%s", line);
}

TEST(errors_say_what_is_wrong)
{
    errs("diffusefx model=there-is-none", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "there-is-none");
    errs("diffusefx model=tiny-denoise", GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE, "diffusefx needs one that generates");
    errs(TINY "prepare=bel", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "bell");
    errs(TINY "prepare=bell:0", GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "prepare");
    errs(TINY "prepare=bell:many", GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "1 to 16");
    errs(TINY "prepare=a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a", GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
         "16");

    GstHarness *h = open_fx(TINY);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    REQUIRE(cue(h, "[bell]", 0, 1) == GST_FLOW_ERROR);
    REQUIRE(message_is(h->element, GST_MESSAGE_ERROR, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "subparse"));
    harness_end(h);
}

// What the model refuses while the element plays is a WARNING, and the sound goes on as before.
TEST(refused_settings_go_back)
{
    GstHarness *h = open_fx(TINY);
    g_object_set(h->element, "classifier-guidance", 2.0, NULL); // it has no classifier
    GstMessage *message = wait_message(h->element, GST_MESSAGE_WARNING, PATIENCE);
    REQUIRE(message);
    gst_message_unref(message);
    double guidance = -1;
    g_object_get(h->element, "classifier-guidance", &guidance, NULL);
    REQUIRE(guidance == 0);
    harness_end(h);
}

// ---- live ----

static GstEvent *play_event(const char *label, guint64 seed)
{
    GstStructure *structure = gst_structure_new("diffuse-play", "label", G_TYPE_STRING, label, "gain",
                                                G_TYPE_DOUBLE, 0.5, NULL);
    if (seed)
        gst_structure_set(structure, "seed", G_TYPE_UINT64, seed, NULL);
    return gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, structure);
}

struct live {
    GstElement *pipeline, *fx;
    GMutex mutex;
    struct sound sound;
};

static void on_handoff(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
    struct live *live = user;
    g_mutex_lock(&live->mutex);
    sound_add(&live->sound, gst_buffer_ref(buffer));
    g_mutex_unlock(&live->mutex);
}

static void open_live(struct live *live, const char *line)
{
    memset(live, 0, sizeof(*live));
    live->pipeline = gst_parse_launch(line, NULL);
    live->fx = gst_bin_get_by_name(GST_BIN(live->pipeline), "f");
    g_mutex_init(&live->mutex);
    sound_init(&live->sound);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(live->pipeline), "k");
    g_signal_connect(sink, "handoff", G_CALLBACK(on_handoff), live);
    gst_object_unref(sink);
}

static void close_live(struct live *live)
{
    gst_element_set_state(live->pipeline, GST_STATE_NULL);
    gst_object_unref(live->fx);
    gst_object_unref(live->pipeline);
    g_mutex_clear(&live->mutex);
    sound_clear(&live->sound);
}

static void wait_prepared(GstElement *fx, guint count)
{
    for (gint64 begin = g_get_monotonic_time(); fx_prepared(fx) < count; g_usleep(10000))
        REQUIRE(seconds_since(begin) < PATIENCE);
}

static void wait_eos(GstElement *pipeline)
{
    GstMessage *message = wait_message(pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR, PATIENCE);
    REQUIRE(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS);
    gst_message_unref(message);
}

#define LIVE TINY "is-live=true prepare=bell:2 ! " MONO " ! fakesink name=k signal-handoffs=true sync=true"

// A source without cues: silence at the clock's pace, and sounds when they are asked for.
TEST(live_sounds_are_played_when_they_are_wanted)
{
    struct live live;
    open_live(&live, LIVE);
    REQUIRE(gst_element_set_state(live.pipeline, GST_STATE_PAUSED) == GST_STATE_CHANGE_NO_PREROLL);
    wait_prepared(live.fx, 2);
    gst_element_set_state(live.pipeline, GST_STATE_PLAYING);
    g_usleep(200000);
    REQUIRE(gst_element_send_event(live.pipeline, play_event("bell", 0))); // up from the sink
    GstMessage *message = wait_message(live.pipeline, GST_MESSAGE_ELEMENT, PATIENCE);
    REQUIRE(message);
    const GstStructure *structure = gst_message_get_structure(message);
    guint64 latency, late;
    double gain;
    REQUIRE_STRING(gst_structure_get_string(structure, "label"), "bell");
    REQUIRE(gst_structure_get_uint64(structure, "play-latency", &latency) && latency > 0);
    REQUIRE(gst_structure_get_uint64(structure, "late", &late));
    REQUIRE(gst_structure_get_double(structure, "gain", &gain) && gain == 0.5);
    gst_message_unref(message);
    REQUIRE(gst_element_send_event(live.fx, play_event("bell", 77)));
    REQUIRE(!gst_element_send_event(live.fx, play_event("no such label", 0)));
    message = wait_message(live.pipeline, GST_MESSAGE_ELEMENT, PATIENCE);
    REQUIRE(message);
    guint64 seed = 0;
    gst_structure_get_uint64(gst_message_get_structure(message), "seed", &seed);
    REQUIRE(seed == 77);
    gst_message_unref(message);
    gst_element_send_event(live.pipeline, gst_event_new_eos()); // gst-launch-1.0 -e
    wait_eos(live.pipeline);
    REQUIRE(live.sound.exact && live.sound.gaps > 0 && live.sound.gaps < live.sound.buffers);
    REQUIRE(loudest(floats(&live.sound), float_count(&live.sound)) > 1e-5f);
    close_live(&live);
}

static gboolean plays(GstElement *fx, const char *text)
{
    GstStructure *structure = gst_structure_from_string(text, NULL);
    REQUIRE(structure);
    return gst_element_send_event(fx, gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM, structure));
}

// A binding makes an int of 2, and gst_structure_from_string() of all that it is not told of.
TEST(a_field_of_diffuse_play_is_a_number_of_any_type)
{
    struct live live;
    open_live(&live, LIVE);
    gst_element_set_state(live.pipeline, GST_STATE_PAUSED);
    wait_prepared(live.fx, 2);
    gst_element_set_state(live.pipeline, GST_STATE_PLAYING);
    REQUIRE(plays(live.fx, "diffuse-play, label=bell, gain=(int)2, seed=(uint)7"));
    GstMessage *message = wait_message(live.pipeline, GST_MESSAGE_ELEMENT, PATIENCE);
    REQUIRE(message);
    double gain = 0;
    guint64 seed = 0;
    REQUIRE(gst_structure_get_double(gst_message_get_structure(message), "gain", &gain) && gain == 2);
    REQUIRE(gst_structure_get_uint64(gst_message_get_structure(message), "seed", &seed) && seed == 7);
    gst_message_unref(message);
    REQUIRE(plays(live.fx, "diffuse-play, label=rain, duration=(guint64)18446744073709551615, seed=(int)-1"));

    static const char *const bad[][2] = {{"gain=(string)loud", "0 to 10"}, {"gain=(double)nan", "0 to 10"},
                                         {"gain=(int)11", "0 to 10"},      {"gain=(boolean)true", "0 to 10"},
                                         {"seed=(double)1.5", "whole"},    {"duration=(double)2", "nanoseconds"}};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        char *text = g_strdup_printf("diffuse-play, label=bell, %s", bad[i][0]);
        REQUIRE(!plays(live.fx, text));
        g_free(text);
        message = wait_message(live.pipeline, GST_MESSAGE_WARNING, PATIENCE);
        REQUIRE(message);
        GError *error = NULL;
        gst_message_parse_warning(message, &error, NULL);
        REQUIRE(strstr(error->message, bad[i][1]));
        g_error_free(error);
        gst_message_unref(message);
    }
    close_live(&live);
}

TEST(a_live_stream_pauses_and_goes_on)
{
    struct live live;
    open_live(&live, LIVE);
    for (int i = 0; i < 2; i++) {
        gst_element_set_state(live.pipeline, GST_STATE_PLAYING);
        g_usleep(100000);
        REQUIRE(gst_element_set_state(live.pipeline, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE);
    }
    g_mutex_lock(&live.mutex);
    guint buffers = live.sound.buffers;
    g_mutex_unlock(&live.mutex);
    g_usleep(100000);
    g_mutex_lock(&live.mutex);
    REQUIRE(live.sound.buffers <= buffers + 1 && live.sound.exact && live.sound.first == 0);
    g_mutex_unlock(&live.mutex);
    close_live(&live);
}

// A buffer, and what the property asks for.
TEST(live_latency_is_reported)
{
    struct live live;
    open_live(&live, TINY "is-live=true latency=150 samplesperbuffer=4800 ! " MONO
                          " ! fakesink name=k signal-handoffs=true sync=true");
    gst_element_set_state(live.pipeline, GST_STATE_PLAYING);
    g_usleep(300000);
    GstQuery *query = gst_query_new_latency();
    REQUIRE(gst_element_query(live.fx, query));
    gboolean is_live;
    GstClockTime least;
    gst_query_parse_latency(query, &is_live, &least, NULL);
    REQUIRE(is_live && least == 250 * GST_MSECOND);
    gst_query_unref(query);
    REQUIRE(!gst_element_seek_simple(live.pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
    close_live(&live);
}

// Cues of a live source: the clock drives the sound, whatever is-live says.
TEST(cues_of_a_live_source)
{
    GstHarness *h = open_live_harness("latency=1000");
    REQUIRE(gst_harness_query_latency(h) > 1100 * GST_MSECOND);
    REQUIRE(cue(h, "[rain]", AT(0.5), AT(0.5)) == GST_FLOW_OK);
    for (gint64 begin = g_get_monotonic_time(); stat(h, "sounds") < 1; g_usleep(10000))
        REQUIRE(seconds_since(begin) < PATIENCE);
    struct sound sound;
    sound_init(&sound);
    while (sound.buffers < 60) {
        REQUIRE(gst_harness_crank_single_clock_wait(h));
        sound_add(&sound, gst_harness_pull(h));
    }
    REQUIRE(sound.exact && sound.first == 0 && sound.end > AT(1.2));
    REQUIRE(is_zero(&sound, 0, RATE / 2) && is_zero(&sound, RATE, float_count(&sound)));
    REQUIRE(loudest(floats(&sound) + RATE / 2, RATE / 4) > 1e-5f);
    GstClockTime now = gst_clock_get_time(GST_CLOCK(gst_harness_get_testclock(h)));
    REQUIRE(now >= sound.end + 1000 * GST_MSECOND); // delayed by both latencies, less one buffer
    sound_clear(&sound);
    harness_end(h);
}

GST_TEST_MAIN
