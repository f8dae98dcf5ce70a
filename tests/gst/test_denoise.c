// SPDX-License-Identifier: LGPL-2.1-or-later
// diffusedenoise in a harness: every sample comes out once and at its time, whatever happens to the stream.
#include "common.h"

#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>

#define TINY "diffusedenoise model=tiny-denoise steps=1 "
#define SLOW "diffusedenoise model=tiny-denoise device=ref steps=1000 t=1 " // minutes per window
#define CAPS_F32 "audio/x-raw,format=" GST_AUDIO_NE(F32) ",rate=16000,channels=1,layout=interleaved"
#define RATE 16000

// A tone in noise; sample k is the same in every test.
static float tone(gsize k)
{
    guint32 noise = (guint32)(k * 2654435761u);
    noise ^= noise >> 15;
    noise *= 2246822519u;
    return (float)(0.3 * sin((double)k * 0.1) + 0.1 * ((noise >> 16) / 65536.0 - 0.5));
}

static GstBuffer *make_buffer(gsize from, gsize frames)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, frames * sizeof(float), NULL);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (gsize i = 0; i < frames; i++)
        ((float *)(void *)map.data)[i] = tone(from + i);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = gst_util_uint64_scale_round(from, GST_SECOND, RATE);
    GST_BUFFER_DURATION(buffer) = gst_util_uint64_scale_round(from + frames, GST_SECOND, RATE) -
                                  GST_BUFFER_PTS(buffer);
    return buffer;
}

static GstHarness *open_harness(const char *line)
{
    GstHarness *h = harness_new(line);
    gst_harness_set_live(h, FALSE); // a harness is live unless told
    gst_harness_set_src_caps_str(h, CAPS_F32);
    return h;
}

// Frames [from, to) in buffers of `size`.
static void push(GstHarness *h, gsize from, gsize to, gsize size)
{
    for (gsize at = from; at < to; at += size)
        REQUIRE(gst_harness_push(h, make_buffer(at, MIN(size, to - at))) == GST_FLOW_OK);
}

static void take(GstHarness *h, struct sound *sound)
{
    GstBuffer *buffer;
    while ((buffer = gst_harness_try_pull(h)))
        sound_add(sound, buffer);
}

static void finish(GstHarness *h, struct sound *sound)
{
    REQUIRE(gst_harness_push_event(h, gst_event_new_eos()));
    take(h, sound);
}

static gboolean is_tone(const struct sound *sound, gsize at, gsize from, gsize frames)
{
    for (gsize i = 0; i < frames; i++)
        if (floats(sound)[at + i] != tone(from + i))
            return FALSE;
    return TRUE;
}

TEST(states)
{
    REQUIRE(goes_up_and_down(TINY));
    REQUIRE(goes_up_and_down("diffusedenoise model=there-is-none"));
}

TEST(properties_keep_what_was_set)
{
    GstElement *filter = gst_element_factory_make("diffusedenoise", NULL);
    g_object_set(filter, "t", 0.25, "auto-t", TRUE, "wet", 0.5, "steps", 3, "bypass", TRUE, "latency", 40,
                 "post-messages", TRUE, "threads", 2, "model", "denoise", NULL);
    gst_util_set_object_arg(G_OBJECT(filter), "overload", "fewer-steps");
    gst_util_set_object_arg(G_OBJECT(filter), "sampler", "ddim");
    gst_util_set_object_arg(G_OBJECT(filter), "device", "cpu");
    double t, wet;
    gboolean auto_t, bypass, post;
    gint steps, latency, threads, overload;
    char *model;
    g_object_get(filter, "t", &t, "auto-t", &auto_t, "wet", &wet, "steps", &steps, "bypass", &bypass,
                 "latency", &latency, "post-messages", &post, "threads", &threads, "overload", &overload,
                 "model", &model, NULL);
    REQUIRE(t == 0.25 && auto_t && wet == 0.5 && steps == 3 && bypass && latency == 40 && post &&
            threads == 2 && overload == 2);
    REQUIRE(choice_is(filter, "sampler", "ddim") && choice_is(filter, "device", "cpu"));
    REQUIRE_STRING(model, "denoise");
    g_free(model);
    gst_object_unref(filter);
}

TEST(everything_that_went_in_comes_out)
{
    const gsize sizes[] = {64, 100, 1000, 16000};
    GByteArray *first = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct sound sound;
        sound_init(&sound);
        GstHarness *h = open_harness(TINY "t=0.5");
        push(h, 0, 16001, sizes[i]);
        finish(h, &sound);
        REQUIRE_NEAR((double)float_count(&sound), 16001, 0, "frames");
        REQUIRE(sound.first == 0 && sound.exact && sound.disconts == 1);
        REQUIRE(sound.end == gst_util_uint64_scale_round(16001, GST_SECOND, RATE));
        REQUIRE(!is_tone(&sound, 0, 0, 16001)); // something was done to it
        if (!first)
            first = g_byte_array_ref(sound.bytes);
        REQUIRE(memcmp(first->data, sound.bytes->data, first->len) == 0);
        harness_end(h);
        sound_clear(&sound);
    }
    g_byte_array_unref(first);
}

TEST(less_than_a_window_comes_out_too)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY);
    push(h, 8000, 8001, 1);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 1 && sound.first == GST_SECOND / 2);
    harness_end(h);
    sound_clear(&sound);
}

TEST(nothing_to_do_is_bit_exact_with_the_same_latency)
{
    const char *const lines[] = {TINY "t=0", TINY "t=0.5 bypass=true"};
    GstHarness *wet = open_harness(TINY "t=0.5");
    push(wet, 0, 1, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        struct sound sound;
        sound_init(&sound);
        GstHarness *h = open_harness(lines[i]);
        push(h, 0, 20000, 441);
        REQUIRE(gst_harness_query_latency(h) == gst_harness_query_latency(wet));
        finish(h, &sound);
        REQUIRE(float_count(&sound) == 20000 && is_tone(&sound, 0, 0, 20000));
        harness_end(h);
        sound_clear(&sound);
    }
    harness_end(wet);
}

TEST(sixteen_bits_and_planes_are_bit_exact)
{
    const char *const layouts[] = {"interleaved", "non-interleaved"};
    for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
        char *caps = g_strdup_printf("audio/x-raw,format=" GST_AUDIO_NE(
                                         S16) ",rate=44100,channels=2,layout=%s,"
                                              "channel-mask=(bitmask)3",
                                     layouts[i]);
        GstHarness *h = harness_new(TINY "t=0");
        gst_harness_set_live(h, FALSE);
        gst_harness_set_src_caps_str(h, caps);
        GstAudioInfo info;
        GstCaps *parsed = gst_caps_from_string(caps);
        gst_audio_info_from_caps(&info, parsed);
        gst_caps_unref(parsed);
        g_free(caps);

        const gsize frames = 65536;
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, frames * 4, NULL);
        GstMapInfo map;
        gst_buffer_map(buffer, &map, GST_MAP_WRITE);
        for (gsize k = 0; k < frames * 2; k++) // every value there is, twice
            ((gint16 *)(void *)map.data)[k] = (gint16)(k * 40503u);
        GByteArray *in = g_byte_array_new();
        g_byte_array_append(in, map.data, (guint)map.size);
        gst_buffer_unmap(buffer, &map);
        if (i == 1)
            gst_buffer_add_audio_meta(buffer, &info, frames, NULL);
        GST_BUFFER_PTS(buffer) = 0;
        REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
        REQUIRE(gst_harness_push_event(h, gst_event_new_eos()));

        gsize done = 0;
        while ((buffer = gst_harness_try_pull(h))) {
            GstAudioBuffer audio;
            REQUIRE(gst_audio_buffer_map(&audio, &info, buffer, GST_MAP_READ));
            const gint16 *want = (const gint16 *)(const void *)in->data;
            for (gsize k = 0; k < audio.n_samples; k++, done++)
                for (gsize c = 0; c < 2; c++) {
                    gint16 got = i == 1 ? ((gint16 *)audio.planes[c])[k]
                                        : ((gint16 *)audio.planes[0])[2 * k + c];
                    REQUIRE(got == (i == 1 ? want[c * frames + done] : want[2 * done + c]));
                }
            gst_audio_buffer_unmap(&audio);
            gst_buffer_unref(buffer);
        }
        REQUIRE(done == frames);
        g_byte_array_unref(in);
        harness_end(h);
    }
}

TEST(latency_is_told_and_true)
{
    GstHarness *h = harness_new(TINY "latency=50");
    gst_harness_set_upstream_latency(h, 20 * GST_MSECOND);
    gst_harness_set_src_caps_str(h, CAPS_F32);
    gst_harness_play(h);
    GstClockTime told = gst_harness_query_latency(h) - 20 * GST_MSECOND;
    REQUIRE(told > 50 * GST_MSECOND && told <= 300 * GST_MSECOND);
    // The first sound must be out when so much went in.
    gsize needed = (gsize)gst_util_uint64_scale_ceil(told - 50 * GST_MSECOND, RATE, GST_SECOND);
    push(h, 0, needed, 100);
    GstBuffer *buffer = gst_harness_try_pull(h);
    REQUIRE(buffer);
    REQUIRE(GST_BUFFER_PTS(buffer) == 0);
    gst_buffer_unref(buffer);
    harness_end(h);

    h = harness_new(TINY); // measured
    gst_harness_set_src_caps_str(h, CAPS_F32);
    REQUIRE(!wait_message(h->element, GST_MESSAGE_LATENCY, 0));
    push(h, 0, 1000, 100);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_LATENCY, PATIENCE);
    REQUIRE(message);
    gst_message_unref(message);
    REQUIRE(gst_harness_query_latency(h) > 100 * GST_MSECOND);
    REQUIRE(!wait_message(h->element, GST_MESSAGE_LATENCY, 0)); // one resync, not two
    harness_end(h);
}

// Less latency from mode to mode, and each is true: the first sound comes when it was told.
TEST(latency_modes_wait_less)
{
    const char *const modes[] = {"normal", "medium", "low", "lowest"};
    GstClockTime before = GST_SECOND;
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        char *line = g_strdup_printf(TINY "latency=0 latency-mode=%s overload=wait", modes[i]);
        struct sound sound;
        sound_init(&sound);
        GstHarness *h = harness_new(line);
        g_free(line);
        gst_harness_set_src_caps_str(h, CAPS_F32);
        GstClockTime latency = gst_harness_query_latency(h);
        REQUIRE(latency < before);
        before = latency;
        gsize needed = (gsize)gst_util_uint64_scale_ceil(latency, RATE, GST_SECOND);
        push(h, 0, needed, 100);
        take(h, &sound);
        REQUIRE(sound.buffers > 0 && sound.first == 0);
        push(h, needed, RATE, 100);
        finish(h, &sound);
        REQUIRE(float_count(&sound) == RATE && sound.exact && !is_tone(&sound, 0, 0, RATE));
        harness_end(h);
        sound_clear(&sound);
    }
}

// The latency of a file in a pipeline with this behind the filter; `rest` feeds it. It has to come to its
// end.
static GstClockTime latency_in(const char *rest, const char *settings)
{
    char *line = g_strdup_printf("fakesrc format=time datarate=64000 sizetype=fixed sizemax=4096 "
                                 "num-buffers=120 ! " CAPS_F32 " ! %s " TINY "name=filter %s ! fakesink",
                                 rest, settings);
    GstElement *pipeline = gst_parse_launch(line, NULL),
               *filter = gst_bin_get_by_name(GST_BIN(pipeline), "filter");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *message = wait_message(pipeline, GST_MESSAGE_EOS | GST_MESSAGE_ERROR, PATIENCE);
    REQUIRE(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS);
    gst_message_unref(message);
    GstStructure *stats;
    g_object_get(filter, "stats", &stats, NULL);
    GstClockTime latency = 0;
    REQUIRE(gst_structure_get_clock_time(stats, "latency", &latency));
    gst_structure_free(stats);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(filter);
    gst_object_unref(pipeline);
    g_free(line);
    return latency;
}

// As playbin3 does: one thread feeds all streams, and none of them may wait for long.
TEST(a_film_in_a_player_goes_on)
{
    GstClockTime alone = latency_in("", "");
    REQUIRE(latency_in("", "latency-mode=medium") < alone / 2);
    REQUIRE(latency_in("tee name=t ! q.sink_0 t. ! q.sink_1 "
                       "multiqueue name=q use-interleave=true max-size-buffers=0 max-size-bytes=0 "
                       "max-size-time=250000000 q.src_1 ! fakesink q.src_0 !",
                       "") < alone / 2);
}

// The latency that is told once the first sound has come.
static GstClockTime told(const char *knobs)
{
    char *line = g_strdup_printf("diffusedenoise model=tiny-denoise device=ref steps=1 overload=wait %s",
                                 knobs);
    GstHarness *h = harness_new(line);
    g_free(line);
    gst_harness_set_src_caps_str(h, CAPS_F32);
    push(h, 0, 100, 100);
    GstClockTime latency = gst_harness_query_latency(h);
    harness_end(h);
    return latency;
}

// Whatever the knobs say at first, what is measured is a window that is computed.
TEST(measuring_computes)
{
    const char *const knobs[] = {"t=0.5", "t=0", "wet=0", "auto-t=true"};
    GstClockTime window = told("latency=0");
    for (size_t i = 0; i < G_N_ELEMENTS(knobs); i++)
        if (told(knobs[i]) <= window + 20 * GST_MSECOND)
            TEST_FAIL("%s", knobs[i]);
}

TEST(a_jump_ends_one_run_and_begins_another)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    push(h, 0, 3000, 1000);
    push(h, 8000, 9000, 1000); // times say so
    GstBuffer *buffer = make_buffer(9000, 1000);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT); // or the flag does, where there is no time
    GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
    REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    take(h, &sound);
    REQUIRE(float_count(&sound) == 4000); // the first two runs are complete
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 5000 && sound.disconts == 3 && !sound.exact);
    REQUIRE(is_tone(&sound, 0, 0, 3000) && is_tone(&sound, 3000, 8000, 2000));
    REQUIRE(sound.end == gst_util_uint64_scale_round(10000, GST_SECOND, RATE));
    harness_end(h);
    sound_clear(&sound);
}

// Queues and muxers mark buffers that continue what came before.
TEST(a_mark_whose_time_continues_the_run_is_no_jump)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    push(h, 0, 1000, 1000);
    GstBuffer *buffer = make_buffer(1000, 1000);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    buffer = make_buffer(2080, 1000); // 5 ms are missing, which alone would pass for an error of timestamps
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 3000 && sound.disconts == 2);
    REQUIRE(is_tone(&sound, 0, 0, 2000) && is_tone(&sound, 2000, 2080, 1000));
    harness_end(h);
    sound_clear(&sound);
}

TEST(small_errors_of_timestamps_are_no_jump)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    for (gsize i = 0; i < 20; i++) {
        GstBuffer *buffer = make_buffer(i * 100, 100);
        GST_BUFFER_PTS(buffer) += (i % 2) * GST_MSECOND;
        REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    }
    finish(h, &sound);
    REQUIRE(sound.disconts == 1 && sound.exact && float_count(&sound) == 2000);
    harness_end(h);
    sound_clear(&sound);
}

TEST(without_timestamps_it_counts)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    for (gsize i = 0; i < 5; i++) {
        GstBuffer *buffer = make_buffer(i * 160, 160);
        GST_BUFFER_PTS(buffer) = GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
        REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    }
    finish(h, &sound);
    REQUIRE(sound.first == 0 && sound.end == 50 * GST_MSECOND && sound.exact);
    harness_end(h);
    sound_clear(&sound);
}

TEST(gaps_are_silence)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0.5");
    GstBuffer *buffer = make_buffer(0, 16000);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP); // what is in it is of no meaning
    REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    REQUIRE(gst_harness_push_event(h, gst_event_new_gap(GST_SECOND, GST_SECOND / 10)));
    push(h, 17600, 19200, 160);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 19200 && sound.exact && sound.disconts == 1 && sound.gaps > 0);
    REQUIRE(loudest(floats(&sound), 16000) == 0);
    harness_end(h);

    // one that is long goes by, after what was held
    sound_clear(&sound);
    sound_init(&sound);
    h = open_harness(TINY "t=0");
    push(h, 0, 1000, 1000);
    REQUIRE(gst_harness_push_event(h, gst_event_new_gap(GST_SECOND / 16, 10 * GST_SECOND)));
    take(h, &sound);
    REQUIRE(float_count(&sound) == 1000);
    harness_end(h);
    sound_clear(&sound);
}

TEST(a_new_segment_waits_for_what_is_held)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    push(h, 0, 1000, 1000);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.position = segment.time = 5 * GST_SECOND;
    REQUIRE(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    take(h, &sound);
    REQUIRE(float_count(&sound) == 1000 && is_tone(&sound, 0, 0, 1000));
    push(h, 79000, 81000, 1000); // half of it lies before the segment
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 2000 && is_tone(&sound, 1000, 80000, 1000));
    harness_end(h);
    sound_clear(&sound);
}

// Raw sound from a file without a parser: the stream has bytes, not times. Criticals are fatal here.
TEST(a_segment_of_bytes)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0.5 post-messages=true");
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    segment.start = segment.position = segment.time = 4000;
    REQUIRE(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    for (gsize i = 0; i < 4; i++) {
        GstBuffer *buffer = make_buffer(i * RATE, RATE);
        GST_BUFFER_PTS(buffer) = GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
        REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    }
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 4 * RATE && sound.exact);
    harness_end(h);
    sound_clear(&sound);
}

// Bytes in blocks that are no whole frames: what comes out is what whole frames give.
TEST(frames_may_go_on_in_the_next_buffer)
{
    struct sound whole, cut;
    sound_init(&whole);
    sound_init(&cut);
    GstHarness *h = open_harness(TINY "t=0.5");
    push(h, 0, RATE, 500);
    finish(h, &whole);
    harness_end(h);

    h = open_harness(TINY "t=0.5");
    GstBuffer *all = make_buffer(0, RATE);
    gsize bytes = gst_buffer_get_size(all);
    for (gsize at = 0, size; at < bytes; at += size) {
        size = MIN(at % 3 ? 1001 : 2, bytes - at);
        GstBuffer *part = gst_buffer_copy_region(all, GST_BUFFER_COPY_MEMORY, at, size);
        REQUIRE(gst_harness_push(h, part) == GST_FLOW_OK);
    }
    gst_buffer_unref(all);
    finish(h, &cut);
    REQUIRE(float_count(&cut) == RATE && cut.exact);
    REQUIRE(memcmp(cut.bytes->data, whole.bytes->data, bytes) == 0);
    harness_end(h);
    sound_clear(&whole);
    sound_clear(&cut);
}

// What came out of the element, in order: 's' for a STREAM_START, 'b' for a buffer, 'd' for a SEGMENT_DONE.
static GstPadProbeReturn note(GstPad *pad, GstPadProbeInfo *probe, gpointer user)
{
    GString *order = user;
    if (probe->type & GST_PAD_PROBE_TYPE_BUFFER)
        g_string_append_c(order, 'b');
    else if (GST_EVENT_TYPE(probe->data) == GST_EVENT_STREAM_START)
        g_string_append_c(order, 's');
    else if (GST_EVENT_TYPE(probe->data) == GST_EVENT_SEGMENT_DONE)
        g_string_append_c(order, 'd');
    return GST_PAD_PROBE_OK;
}

TEST(nothing_overtakes_what_is_held)
{
    GString *order = g_string_new(NULL);
    GstHarness *h = open_harness(TINY "t=0");
    GstPad *pad = gst_element_get_static_pad(h->element, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note, order,
                      NULL);
    gst_object_unref(pad);
    push(h, 0, 100, 100);
    REQUIRE_STRING(order->str, ""); // it is held
    REQUIRE(gst_harness_push_event(h, gst_event_new_segment_done(GST_FORMAT_TIME, 0)));
    REQUIRE_STRING(order->str, "bd");
    push(h, 100, 200, 100);
    REQUIRE(gst_harness_push_event(h, gst_event_new_stream_start("next")));
    REQUIRE_STRING(order->str, "bdbs");
    harness_end(h);
    g_string_free(order, TRUE);
}

// Downstream asks for a padding, and gets it.
TEST(downstream_is_asked_for_memory)
{
    const char *const lines[] = {TINY "t=0", "diffusesrc model=tiny-direct steps=1 num-clips=1"};
    GstAllocationParams params;
    gst_allocation_params_init(&params);
    params.padding = 1000;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        GstElement *element = gst_object_ref_sink(gst_parse_launch(lines[i], NULL));
        GstHarness *h = gst_harness_new_with_element(element, i ? NULL : "sink", "src");
        gst_object_unref(element);
        gst_harness_set_propose_allocator(h, gst_allocator_find(NULL), &params);
        gst_harness_set_live(h, FALSE);
        if (i)
            gst_harness_play(h);
        else
            gst_harness_set_src_caps_str(h, CAPS_F32);
        if (!i) {
            push(h, 0, 1000, 1000);
            REQUIRE(gst_harness_push_event(h, gst_event_new_eos()));
        }
        GstBuffer *buffer = gst_harness_pull(h);
        REQUIRE(buffer);
        gsize size, offset, most;
        size = gst_buffer_get_sizes(buffer, &offset, &most);
        REQUIRE_NEAR((double)(most - offset), (double)(size + params.padding), 64, lines[i]);
        gst_buffer_unref(buffer);
        gst_harness_teardown(h);
    }
}

TEST(a_flush_forgets)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    push(h, 0, 3000, 1000);
    take(h, &sound);
    gsize before = float_count(&sound);
    REQUIRE(gst_harness_push_event(h, gst_event_new_flush_start()));
    REQUIRE(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    REQUIRE(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push(h, 40000, 42000, 1000);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == before + 2000 && is_tone(&sound, before, 40000, 2000));
    harness_end(h);
    sound_clear(&sound);
}

TEST(caps_may_change_in_mid_stream)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = open_harness(TINY "t=0");
    push(h, 0, 1000, 1000);
    gst_harness_set_src_caps_str(h, "audio/x-raw,format=" GST_AUDIO_NE(
                                        F32) ",rate=8000,channels=1,layout=interleaved");
    take(h, &sound);
    REQUIRE(float_count(&sound) == 1000 && is_tone(&sound, 0, 0, 1000));
    GstBuffer *buffer = make_buffer(1000, 800);
    REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 1800 && is_tone(&sound, 1000, 1000, 800));
    REQUIRE(sound.end == gst_util_uint64_scale_round(1000, GST_SECOND, RATE) + GST_SECOND / 10);
    harness_end(h);
    sound_clear(&sound);
}

TEST(t_can_be_driven)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = harness_new(TINY "t=1 overload=wait"); // live: small windows, changes soon
    gst_harness_set_src_caps_str(h, CAPS_F32);
    GstElement *filter = h->element;
    GstControlSource *control = gst_interpolation_control_source_new();
    g_object_set(control, "mode", GST_INTERPOLATION_MODE_NONE, NULL); // steps
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(control), 0, 0);
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(control), GST_SECOND, 1);
    gst_object_add_control_binding(GST_OBJECT(filter),
                                   gst_direct_control_binding_new_absolute(GST_OBJECT(filter), "t", control));
    push(h, 0, 2 * RATE, 160);
    finish(h, &sound);
    double t;
    g_object_get(filter, "t", &t, NULL);
    REQUIRE(t == 1);
    REQUIRE(float_count(&sound) == 2 * RATE && is_tone(&sound, 0, 0, RATE / 2));
    REQUIRE(!is_tone(&sound, RATE * 3 / 2, RATE * 3 / 2, RATE / 2));
    gst_object_unref(control);
    harness_end(h);
    sound_clear(&sound);
}

// What is set between the caps and the first sound is heeded, though live an engine is made then only to be
// measured.
TEST(set_while_the_model_loads)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = harness_new(TINY "t=1 overload=wait");
    gst_harness_set_src_caps_str(h, CAPS_F32);
    g_object_set(h->element, "t", 0.0, NULL);
    push(h, 0, RATE, 160);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == RATE && is_tone(&sound, 0, 0, RATE));
    harness_end(h);
    sound_clear(&sound);
}

static void errs(const char *line, GQuark domain, gint code, const char *text)
{
    GstElement *pipeline = gst_parse_launch(line, NULL);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    int good = message_is(pipeline, GST_MESSAGE_ERROR, domain, code, text);
    GstMessage *second = wait_message(pipeline, GST_MESSAGE_ERROR, 0);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    if (!good || second)
        TEST_FAIL("%s%s", line, second ? ": a second error" : "");
}

TEST(errors_say_what_is_wrong)
{
    // in a pipeline, whose bus keeps what start() has to say
#define REST " ! fakesink"
#define FAKE "fakesrc ! audio/x-raw,format=" GST_AUDIO_NE(F32) ",rate=16000,channels=1,layout=interleaved ! "
    errs(FAKE "diffusedenoise model=there-is-none" REST, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
         "there-is-none");
    errs(FAKE "diffusedenoise model=tiny-direct" REST, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
         "diffusedenoise needs one that cleans");
    GstHarness *h = open_harness(TINY "device=vulkan gpu=abacus");
    REQUIRE(gst_harness_push(h, make_buffer(0, 100)) == GST_FLOW_ERROR);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_ERROR, PATIENCE);
    REQUIRE(message);
    GError *error;
    gst_message_parse_error(message, &error, NULL);
    REQUIRE(strstr(error->message, "abacus"));
    g_error_free(error);
    gst_message_unref(message);
    harness_end(h);
}

static gpointer push_much(gpointer h)
{
    GstFlowReturn flow = GST_FLOW_OK;
    for (gsize i = 0; flow == GST_FLOW_OK && i < 100; i++)
        flow = gst_harness_push(h, make_buffer(i * RATE, RATE));
    return GINT_TO_POINTER(flow);
}

TEST(stops_at_once_during_a_long_computation)
{
    GstHarness *h = open_harness(SLOW);
    GThread *thread = g_thread_new("push", push_much, h);
    g_usleep(700000);
    gint64 begin = g_get_monotonic_time();
    gst_harness_push_event(h, gst_event_new_flush_start());
    GstFlowReturn flow = GPOINTER_TO_INT(g_thread_join(thread));
    REQUIRE(flow == GST_FLOW_FLUSHING);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "flush");

    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    thread = g_thread_new("push", push_much, h);
    g_usleep(300000);
    begin = g_get_monotonic_time();
    gst_element_set_state(h->element, GST_STATE_NULL);
    g_thread_join(thread);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "NULL");
    harness_end(h);
}

struct gap {
    GstHarness *h;
    GstEvent *event;
};

static gpointer push_gap(gpointer user)
{
    struct gap *gap = user;
    gst_harness_push_event(gap->h, gap->event);
    return NULL;
}

// What a gap completes is computed while its event is handled.
TEST(a_flush_stops_a_gap)
{
    GstHarness *h = open_harness(SLOW);
    push(h, 0, 2 * RATE, RATE); // a window takes more, but less than a second
    struct gap gap = {h, gst_event_new_gap(2 * GST_SECOND, GST_SECOND)};
    GThread *thread = g_thread_new("gap", push_gap, &gap);
    g_usleep(700000);
    gint64 begin = g_get_monotonic_time();
    gst_harness_push_event(h, gst_event_new_flush_start());
    g_thread_join(thread);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "flush");
    harness_end(h);
}

static guint64 overloads(const char *policy, guint64 *windows)
{
    char *line = g_strdup_printf(
        "diffusedenoise model=tiny-denoise device=ref steps=4 t=1 latency=0 overload=%s", policy);
    GstHarness *h = harness_new(line);
    g_free(line);
    gst_harness_set_src_caps_str(h, CAPS_F32);
    push(h, 0, 3 * RATE / 4, 160);
    GstStructure *stats;
    guint64 count = 0;
    g_object_get(h->element, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "overloads", &count);
    gst_structure_get_uint64(stats, "windows", windows);
    gst_structure_free(stats);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_QOS, 0);
    REQUIRE((message != NULL) == (count > 0));
    if (message)
        gst_message_unref(message);
    harness_end(h);
    return count;
}

TEST(live_overload_is_handled_as_asked)
{
    guint64 wait = 0, dry = 0, fewer = 0;
    REQUIRE(overloads("wait", &wait) == 0);
    REQUIRE(overloads("dry", &dry) >= 1);
    REQUIRE(overloads("fewer-steps", &fewer) >= 2);    // 4, 2, ...
    REQUIRE(wait > 5 && dry == wait && fewer == wait); // none is left out
}

// As a queue that leaks hands sound over: a hole after each buffer, and all of it late. A run that ends costs
// a window.
TEST(windows_at_discontinuities_are_accounted_for)
{
    GstHarness *h = harness_new(
        "diffusedenoise model=tiny-denoise device=ref steps=4 t=1 latency=0 overload=dry");
    gst_harness_set_src_caps_str(h, CAPS_F32);
    for (gsize i = 0; i < 40; i++)
        REQUIRE(gst_harness_push(h, make_buffer(i * 320, 160)) == GST_FLOW_OK);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_QOS, 0);
    REQUIRE(message);
    gst_message_unref(message);
    harness_end(h);
}

// Pushes [from, to) in buffers of up to 20 ms, each when the clock has reached its end, and `clock` at least.
static void push_by_clock(GstHarness *h, gsize from, gsize to, GstClockTime clock)
{
    for (gsize at = from; at < to; at += RATE / 50) {
        GstBuffer *buffer = make_buffer(at, MIN(RATE / 50, to - at));
        GstClockTime end = GST_BUFFER_PTS(buffer) + GST_BUFFER_DURATION(buffer);
        REQUIRE(gst_harness_set_time(h, MAX(end, clock)));
        REQUIRE(gst_harness_push(h, buffer) == GST_FLOW_OK);
    }
}

// After a stall, sound is let through until it comes in time again, and a message says so. The allowance of
// ten seconds keeps a busy machine out of it.
TEST(a_stall_is_caught_up_with)
{
    struct sound sound;
    sound_init(&sound);
    GstHarness *h = harness_new("diffusedenoise model=tiny-denoise steps=1 t=1 latency=10000 overload=dry");
    gst_harness_set_src_caps_str(h, CAPS_F32);
    push_by_clock(h, 0, RATE, 0);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_QOS, 0);
    REQUIRE(!message);
    push_by_clock(h, RATE, 13 * RATE, 13 * GST_SECOND); // twelve seconds come at once
    message = wait_message(h->element, GST_MESSAGE_QOS, 0);
    REQUIRE(message);
    gst_message_unref(message);
    push_by_clock(h, 13 * RATE, 16 * RATE, 0);
    finish(h, &sound);
    REQUIRE(float_count(&sound) == 16 * RATE && sound.exact && sound.disconts == 1);
    REQUIRE(!is_tone(&sound, RATE / 2, RATE / 2, RATE / 10));
    REQUIRE(is_tone(&sound, 2 * RATE, 2 * RATE, 10 * RATE));
    REQUIRE(!is_tone(&sound, 14 * RATE, 14 * RATE, RATE / 10)); // within a second it is cleaned again
    harness_end(h);
    sound_clear(&sound);
}

// A sink without a queue in front holds the thread until the sound of the last window is due. What comes in
// meanwhile completes the next window in time, and is no overload. The allowance of ten seconds keeps a busy
// machine out of it.
TEST(a_sink_that_waits_is_no_overload)
{
    enum { PART = RATE / 100 };
    const GstClockTime allowance = 10 * GST_SECOND;
    GstHarness *h = harness_new("diffusedenoise model=tiny-denoise t=0 latency=10000 overload=dry");
    gst_harness_set_src_caps_str(h, CAPS_F32);
    GstClockTime held = 0;
    for (gsize at = 0; at < 4 * RATE; at += PART) {
        guint before = gst_harness_buffers_received(h);
        push_by_clock(h, at, at + PART, held);
        if (gst_harness_buffers_received(h) > before)
            held = (at + PART) * GST_SECOND / RATE + 60 * GST_MSECOND + allowance;
    }
    GstMessage *message = wait_message(h->element, GST_MESSAGE_QOS, 0);
    REQUIRE(!message);
    push_by_clock(h, 4 * RATE, 5 * RATE, 5 * GST_SECOND + allowance); // and this is one
    message = wait_message(h->element, GST_MESSAGE_QOS, 0);
    REQUIRE(message);
    gst_message_unref(message);
    harness_end(h);
}

TEST(channels_without_places_are_refused_by_name)
{
    GstHarness *h = open_harness(TINY);
    GstCaps *caps = gst_caps_from_string(
        "audio/x-raw,format=" GST_AUDIO_NE(F32) ",rate=16000,channels=4,layout=interleaved");
    gst_harness_push_event(h, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_ERROR, PATIENCE);
    GError *error = NULL;
    REQUIRE(message);
    gst_message_parse_error(message, &error, NULL);
    REQUIRE(strstr(error->message, "channel-mask=(bitmask)0"));
    g_error_free(error);
    gst_message_unref(message);
    harness_end(h);
}

TEST(state_is_told)
{
    GstHarness *h = harness_new(TINY "post-messages=true t=0.5 overload=wait");
    gst_harness_set_src_caps_str(h, CAPS_F32);
    push(h, 0, RATE, 160);
    GstMessage *message = wait_message(h->element, GST_MESSAGE_ELEMENT, PATIENCE);
    REQUIRE(message);
    const GstStructure *structure = gst_message_get_structure(message);
    double t = 0;
    REQUIRE(gst_structure_has_name(structure, "diffuse-denoise") &&
            gst_structure_get_double(structure, "t", &t));
    REQUIRE(t == 0.5);
    gst_message_unref(message);
    harness_end(h);
}

TEST(two_in_one_process)
{
    struct sound alone, one, two;
    sound_init(&alone);
    sound_init(&one);
    sound_init(&two);
    GstHarness *h = open_harness(TINY "t=0.5");
    push(h, 0, 16000, 1000);
    finish(h, &alone);
    harness_end(h);
    GstHarness *a = open_harness(TINY "t=0.5"), *b = open_harness(TINY "t=0.5");
    for (gsize at = 0; at < 16000; at += 1000) {
        push(a, at, at + 1000, 1000);
        push(b, at, at + 1000, 500);
    }
    finish(a, &one);
    finish(b, &two);
    REQUIRE(one.bytes->len == alone.bytes->len && two.bytes->len == alone.bytes->len);
    REQUIRE(memcmp(one.bytes->data, alone.bytes->data, alone.bytes->len) == 0);
    REQUIRE(memcmp(two.bytes->data, alone.bytes->data, alone.bytes->len) == 0);
    harness_end(a);
    harness_end(b);
    sound_clear(&alone);
    sound_clear(&one);
    sound_clear(&two);
}

GST_TEST_MAIN
