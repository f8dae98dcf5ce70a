// SPDX-License-Identifier: LGPL-2.1-or-later
// diffusesrc in pipelines: numbers of samples and their times, seeking, stopping, messages, errors.
#include "common.h"

#include <ebb/ebb.h>

#include "model/scratch.h"

#include <gst/controller/gstdirectcontrolbinding.h>
#include <gst/controller/gstinterpolationcontrolsource.h>

#define TINY "diffusesrc name=s model=tiny-direct steps=2 seed=0 "
#define SLOW "diffusesrc name=s model=tiny-direct device=ref steps=1000 " // minutes per clip
#define F32 "audio/x-raw,format=" GST_AUDIO_NE(F32)
#define SINK " ! fakesink name=k signal-handoffs=true sync=false "

struct play {
    GstElement *pipeline, *source;
    GMutex mutex;
    struct sound sound; // what was rendered; under the mutex while playing
};

static void on_handoff(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user)
{
    struct play *play = user;
    g_mutex_lock(&play->mutex);
    sound_add(&play->sound, gst_buffer_ref(buffer));
    g_mutex_unlock(&play->mutex);
}

static void open_play(struct play *play, const char *line)
{
    GError *error = NULL;
    memset(play, 0, sizeof(*play));
    play->pipeline = gst_parse_launch(line, &error);
    if (!play->pipeline)
        TEST_FAIL("%s: %s", line, error->message);
    play->source = gst_bin_get_by_name(GST_BIN(play->pipeline), "s");
    g_mutex_init(&play->mutex);
    sound_init(&play->sound);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(play->pipeline), "k");
    if (sink) {
        g_signal_connect(sink, "handoff", G_CALLBACK(on_handoff), play);
        gst_object_unref(sink);
    }
}

static void close_play(struct play *play)
{
    gst_element_set_state(play->pipeline, GST_STATE_NULL);
    gst_object_unref(play->source);
    gst_object_unref(play->pipeline);
    g_mutex_clear(&play->mutex);
    sound_clear(&play->sound);
}

static void state(struct play *play, GstState wanted)
{
    gst_element_set_state(play->pipeline, wanted);
    REQUIRE(gst_element_get_state(play->pipeline, NULL, NULL, PATIENCE * GST_SECOND) !=
            GST_STATE_CHANGE_FAILURE);
}

// Waits for EOS (or SEGMENT_DONE); an error fails the test.
static void wait_end(struct play *play)
{
    GstMessageType types = GST_MESSAGE_EOS | GST_MESSAGE_SEGMENT_DONE | GST_MESSAGE_ERROR;
    GstMessage *message = wait_message(play->pipeline, types, PATIENCE);
    REQUIRE(message);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error;
        gst_message_parse_error(message, &error, NULL);
        TEST_FAIL("%s", error->message);
    }
    gst_message_unref(message);
}

// Plays a line to its end.
static void play_all(struct play *play, const char *line)
{
    open_play(play, line);
    state(play, GST_STATE_PLAYING);
    wait_end(play);
}

static guint rendered(struct play *play)
{
    g_mutex_lock(&play->mutex);
    guint buffers = play->sound.buffers;
    g_mutex_unlock(&play->mutex);
    return buffers;
}

static GstClockTime duration(struct play *play)
{
    gint64 value = -1;
    REQUIRE(gst_element_query_duration(play->source, GST_FORMAT_TIME, &value));
    return (GstClockTime)value;
}

TEST(states)
{
    REQUIRE(goes_up_and_down(TINY));
    REQUIRE(goes_up_and_down("diffusesrc model=there-is-none"));
    REQUIRE(goes_up_and_down(TINY "is-live=true"));
}

TEST(properties_keep_what_was_set)
{
    GstElement *source = gst_element_factory_make("diffusesrc", NULL);
    g_object_set(source, "label", "rain", "seed", G_GINT64_CONSTANT(9223372036854775807), "steps", 7,
                 "guidance", 2.5, "classifier-guidance", 1.5, "num-clips", G_GUINT64_CONSTANT(3), "crossfade",
                 0.5, "gap", 0.0, "lookahead", 5, "samplesperbuffer", 64, "is-live", TRUE, "volume", 0.5,
                 "post-messages", FALSE, "threads", 2, "gpu", "card", "model", "sfx", NULL);
    gst_util_set_object_arg(G_OBJECT(source), "sampler", "ddim");
    gst_util_set_object_arg(G_OBJECT(source), "device", "vulkan:1");
    char *label, *gpu, *model;
    gint64 seed, clips;
    gint steps, threads;
    guint lookahead, samples;
    gboolean live, post;
    double guidance, classifier, crossfade, gap, volume;
    g_object_get(source, "label", &label, "seed", &seed, "steps", &steps, "guidance", &guidance,
                 "classifier-guidance", &classifier, "num-clips", &clips, "crossfade", &crossfade, "gap",
                 &gap, "lookahead", &lookahead, "samplesperbuffer", &samples, "is-live", &live, "volume",
                 &volume, "post-messages", &post, "threads", &threads, "gpu", &gpu, "model", &model, NULL);
    REQUIRE_STRING(label, "rain");
    REQUIRE(choice_is(source, "sampler", "ddim") && choice_is(source, "device", "vulkan:1"));
    REQUIRE_STRING(gpu, "card");
    REQUIRE_STRING(model, "sfx");
    REQUIRE(seed == G_MAXINT64 && steps == 7 && clips == 3 && lookahead == 5 && samples == 64 && live &&
            !post && threads == 2);
    REQUIRE(guidance == 2.5 && classifier == 1.5 && crossfade == 0.5 && gap == 0 && volume == 0.5);
    g_free(label);
    g_free(gpu);
    g_free(model);
    gst_object_unref(source);
}

TEST(ends_after_num_clips_with_exact_times)
{
    struct play play;
    play_all(&play, TINY "num-clips=2 samplesperbuffer=1000 ! " F32 ",rate=48000,channels=1" SINK);
    gsize frames = float_count(&play.sound);
    REQUIRE(frames > 10000 && frames % 2 == 0);
    REQUIRE(play.sound.first == 0 && play.sound.exact);
    REQUIRE(play.sound.end == gst_util_uint64_scale_round(frames, GST_SECOND, 48000));
    REQUIRE(duration(&play) == play.sound.end);
    REQUIRE(play.sound.largest == 1000 * sizeof(float) && play.sound.disconts == 1);
    REQUIRE(loudest(floats(&play.sound), frames) > 1e-4f);
    close_play(&play);
}

TEST(same_seed_same_sound_whatever_the_buffers)
{
    struct play a, b, c;
    play_all(&a, TINY "seed=5 num-clips=1 ! " F32 SINK);
    play_all(&b, TINY "seed=5 num-clips=1 samplesperbuffer=77 lookahead=1 ! " F32 SINK);
    play_all(&c, TINY "seed=6 num-clips=1 ! " F32 SINK);
    REQUIRE(a.sound.bytes->len == b.sound.bytes->len && a.sound.bytes->len == c.sound.bytes->len);
    REQUIRE(memcmp(a.sound.bytes->data, b.sound.bytes->data, a.sound.bytes->len) == 0);
    REQUIRE(memcmp(a.sound.bytes->data, c.sound.bytes->data, a.sound.bytes->len) != 0);
    close_play(&a);
    close_play(&b);
    close_play(&c);
}

// The end of a clip runs into its own start. Events are not trimmed then.
TEST(a_loop_comes_again_and_again)
{
    static const char *const labels[] = {"rain", "kick"};
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
        struct play play;
        char *line = g_strdup_printf(
            "diffusesrc name=s model=tiny-sfx steps=1 seed=3 label=%s loop=true seconds=1.5 trim=true num-clips=3 ! " F32
            ",rate=48000,channels=1" SINK,
            labels[i]);
        play_all(&play, line);
        gsize length = 72000 * sizeof(float);
        REQUIRE(play.sound.bytes->len == 3 * length && play.sound.disconts == 1);
        REQUIRE(memcmp(play.sound.bytes->data, play.sound.bytes->data + length, 2 * length) == 0);
        REQUIRE(loudest(floats(&play.sound), 72000) > 1e-4f);
        g_free(line);
        close_play(&play);
    }
}

TEST(second_run_starts_over)
{
    struct play play;
    play_all(&play, TINY "num-clips=1 ! " F32 SINK);
    GByteArray *first = g_byte_array_ref(play.sound.bytes);
    gst_element_set_state(play.pipeline, GST_STATE_READY);
    sound_clear(&play.sound);
    sound_init(&play.sound);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    REQUIRE(play.sound.first == 0 && play.sound.bytes->len == first->len);
    REQUIRE(memcmp(play.sound.bytes->data, first->data, first->len) == 0);
    g_byte_array_unref(first);
    close_play(&play);
}

TEST(every_format_is_the_same_sound)
{
    struct play plain;
    play_all(&plain, TINY "num-clips=1 ! " F32 ",rate=48000,channels=1" SINK);
    gsize frames = float_count(&plain.sound);
    const struct {
        const char *caps;
        gsize width; // bytes per frame
        guint64 rate;
    } cases[] = {
        {"audio/x-raw,format=S16LE,rate=48000,channels=1", 2, 48000},
        {"audio/x-raw,format=U8,rate=48000,channels=2", 2, 48000},
        {"audio/x-raw,format=S24LE,rate=48000,channels=2,layout=non-interleaved", 6, 48000},
        {"audio/x-raw,format=F64BE,rate=44100,channels=6,channel-mask=(bitmask)0x3f", 48, 44100},
        {"audio/x-raw,format=F32LE,rate=8000,channels=1", 4, 8000},
        {"audio/x-raw,format=S32LE,rate=192000,channels=1", 4, 192000},
        {"audio/x-raw,format=S16LE,rate=11025,channels=24,channel-mask=(bitmask)0", 48, 11025},
        {"audio/x-raw,format=F32LE,rate=48000,channels=64,channel-mask=(bitmask)0", 256, 48000},
        {"audio/x-raw,format=S16LE,rate=48000,channels=64,channel-mask=(bitmask)0,layout=non-interleaved",
         128, 48000},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct play play;
        char *line = g_strdup_printf(TINY "num-clips=1 ! %s" SINK, cases[i].caps);
        play_all(&play, line);
        guint64 want = gst_util_uint64_scale_ceil(frames, cases[i].rate, 48000);
        REQUIRE_NEAR((double)play.sound.bytes->len, (double)(want * cases[i].width), 0, cases[i].caps);
        REQUIRE(play.sound.exact);
        REQUIRE_NEAR((double)play.sound.end,
                     (double)gst_util_uint64_scale_round(want, GST_SECOND, cases[i].rate), 0, cases[i].caps);
        if (i == 0) {
            const gint16 *s16 = (const gint16 *)(const void *)play.sound.bytes->data;
            for (gsize k = 0; k < frames; k++)
                REQUIRE_NEAR(s16[k], CLAMP(floats(&plain.sound)[k] * 32768, -32768, 32767), 1, "S16");
        }
        g_free(line);
        close_play(&play);
    }
    close_play(&plain);
}

// With a width, two channels differ; any other number of channels is what it is without.
TEST(a_width_is_for_two_channels)
{
    struct play wide, mono, narrow, six;
    const char *const sfx = "diffusesrc name=s model=tiny-sfx steps=1 seed=3 label=rain num-clips=2 ";
    char *lines[] = {g_strconcat(sfx, "width=1 ! " F32 ",channels=2" SINK, NULL),
                     g_strconcat(sfx, "! " F32 ",channels=1" SINK, NULL),
                     g_strconcat(sfx, "width=1 ! " F32 ",channels=1" SINK, NULL),
                     g_strconcat(sfx, "width=1 ! " F32 ",channels=6,channel-mask=(bitmask)0x3f" SINK, NULL)};
    play_all(&wide, lines[0]);
    play_all(&mono, lines[1]);
    play_all(&narrow, lines[2]);
    play_all(&six, lines[3]);
    gsize frames = float_count(&mono.sound);
    REQUIRE(float_count(&wide.sound) == 2 * frames && float_count(&six.sound) == 6 * frames);
    REQUIRE(narrow.sound.bytes->len == mono.sound.bytes->len &&
            memcmp(narrow.sound.bytes->data, mono.sound.bytes->data, mono.sound.bytes->len) == 0);
    double apart = 0, size = 0;
    for (gsize k = 0; k < frames; k++) {
        double left = floats(&wide.sound)[2 * k], right = floats(&wide.sound)[2 * k + 1];
        REQUIRE(floats(&six.sound)[6 * k + 5] == floats(&mono.sound)[k]);
        apart += (left - right) * (left - right);
        size += left * left + right * right;
    }
    printf("# %.2f of the energy is between the channels\n", apart / size);
    REQUIRE(apart > 0.5 * size && apart < 1.5 * size); // 1 where they have nothing in common
    for (int i = 0; i < 4; i++)
        g_free(lines[i]);
    close_play(&wide);
    close_play(&mono);
    close_play(&narrow);
    close_play(&six);
}

// Planar, of 16 bits, and resampled: the left channel is the left one.
TEST(both_channels_are_converted)
{
    struct play plain, play;
    const char *const sfx = "diffusesrc name=s model=tiny-sfx steps=1 seed=3 label=kick width=1 num-clips=1 ";
    char *lines[] = {
        g_strconcat(sfx, "! " F32 ",rate=48000,channels=2" SINK, NULL),
        g_strconcat(sfx, "! audio/x-raw,format=S16LE,rate=48000,channels=2,layout=non-interleaved" SINK,
                    NULL)};
    play_all(&plain, lines[0]);
    play_all(&play, lines[1]);
    gsize frames = float_count(&plain.sound) / 2;
    REQUIRE(play.sound.bytes->len == frames * 4 && play.sound.exact);
    g_free(lines[0]);
    g_free(lines[1]);
    close_play(&plain);
    close_play(&play);
}

// Every channel is the one channel, the last of 64 too.
TEST(every_channel_is_the_same_sound)
{
    struct play plain, play;
    play_all(&plain, TINY "num-clips=1 ! " F32 ",rate=44100,channels=1" SINK);
    play_all(&play, TINY "num-clips=1 ! " F32 ",rate=44100,channels=64,channel-mask=(bitmask)0" SINK);
    gsize frames = float_count(&plain.sound);
    REQUIRE(float_count(&play.sound) == 64 * frames);
    for (gsize k = 0; k < frames; k++)
        for (gsize i = 0; i < 64; i++)
            REQUIRE(floats(&play.sound)[64 * k + i] == floats(&plain.sound)[k]);
    close_play(&plain);
    close_play(&play);
}

// 44.1 kHz in one piece is what it is in small ones, and a buffer is never longer than asked for.
TEST(resampling_does_not_see_buffers)
{
    struct play a, b;
    play_all(&a, TINY "num-clips=1 samplesperbuffer=100000 ! " F32 ",rate=44100" SINK);
    play_all(&b, TINY "num-clips=1 samplesperbuffer=441 ! " F32 ",rate=44100" SINK);
    REQUIRE(b.sound.largest == 441 * sizeof(float));
    REQUIRE(a.sound.bytes->len == b.sound.bytes->len);
    for (gsize i = 0; i < float_count(&a.sound); i++)
        REQUIRE_NEAR(floats(&b.sound)[i], floats(&a.sound)[i], 1e-5, "sample");
    close_play(&a);
    close_play(&b);
}

// Buffers longer than the clips that are kept ready, and a rate at which a frame needs more than one.
TEST(long_buffers_come)
{
    const char *const lines[] = {
        TINY "num-clips=5 lookahead=1 samplesperbuffer=524287 ! " F32 ",rate=48000" SINK,
        TINY "num-clips=5 lookahead=1 samplesperbuffer=4 ! " F32 ",rate=8" SINK,
        TINY "num-clips=5 lookahead=2 ! " F32 ",rate=250" SINK,
        TINY "num-clips=5 samplesperbuffer=524287 ! " F32 ",rate=1" SINK,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        struct play play;
        play_all(&play, lines[i]);
        REQUIRE(play.sound.exact && play.sound.end >= duration(&play));
        close_play(&play);
    }
}

static void seek(struct play *play, GstSeekFlags flags, gint64 from, gint64 to)
{
    REQUIRE(gst_element_seek(play->pipeline, 1, GST_FORMAT_TIME, flags, GST_SEEK_TYPE_SET, from,
                             to < 0 ? GST_SEEK_TYPE_NONE : GST_SEEK_TYPE_SET, to));
}

TEST(seeking_lands_on_the_sample)
{
    struct play whole, play;
    play_all(&whole, TINY "num-clips=3 ! " F32 SINK);
    gsize frames = float_count(&whole.sound), at = frames / 2;
    open_play(&play, TINY "num-clips=3 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    seek(&play, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
         (gint64)gst_util_uint64_scale_round(at, GST_SECOND, 48000), -1);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    REQUIRE(play.sound.first == gst_util_uint64_scale_round(at, GST_SECOND, 48000) && play.sound.exact);
    REQUIRE(float_count(&play.sound) == frames - at);
    REQUIRE(memcmp(floats(&play.sound), floats(&whole.sound) + at, (frames - at) * sizeof(float)) == 0);
    close_play(&play);

    // backwards again, with a stop, and only a part of a buffer at the end
    play_all(&play, TINY "num-clips=3 ! " F32 SINK);
    sound_clear(&play.sound);
    sound_init(&play.sound);
    state(&play, GST_STATE_PAUSED);
    seek(&play, GST_SEEK_FLAG_FLUSH, 0, 100 * GST_MSECOND);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    REQUIRE(float_count(&play.sound) == 4800 && play.sound.end == 100 * GST_MSECOND);
    REQUIRE(memcmp(floats(&play.sound), floats(&whole.sound), 4800 * sizeof(float)) == 0);
    close_play(&play);
    close_play(&whole);
}

// 10 µs is half a sample: the first buffer lies at the next one, never before the segment, and messages have
// every time.
TEST(a_seek_between_samples_rounds_up)
{
    for (gint64 at = 1000; at < 45000; at += 4000) {
        struct play play;
        open_play(&play, TINY "num-clips=1 ! " F32 ",rate=48000" SINK);
        state(&play, GST_STATE_PAUSED);
        seek(&play, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, at, -1);
        state(&play, GST_STATE_PLAYING);
        wait_end(&play);
        REQUIRE(play.sound.first >= (GstClockTime)at &&
                play.sound.first <= (GstClockTime)at + GST_SECOND / 48000 + 1);
        close_play(&play);
    }
}

// What is set before the clip that was seeked into is there: the new clip, which is shorter, begins where the
// seek went.
TEST(settings_change_in_a_clip_that_is_not_there)
{
    const struct {
        const char *first, *name, *value;
        gint64 seek; // samples
        gsize length;
    } cases[] = {
        {"label=bell", "label", "rain", 124800, 98304}, // an event's 131072 and its gap, a texture's three
                                                        // quarters of that
        {"label=bell gap=600", "gap", "0", 480000, 131072},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct play play;
        char *line = g_strdup_printf(
            "diffusesrc name=s model=tiny-sfx device=ref steps=1000 num-clips=1 %s ! " F32 SINK,
            cases[i].first);
        open_play(&play, line);
        g_free(line);
        gst_element_set_state(play.pipeline, GST_STATE_PAUSED);
        gint64 at = (gint64)gst_util_uint64_scale_round((guint64)cases[i].seek, GST_SECOND, 48000);
        REQUIRE(gst_element_seek_simple(play.source, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, at));
        g_usleep(200000); // the streaming thread has taken the seek
        g_object_set(play.source, "steps", 1, NULL);
        gst_util_set_object_arg(G_OBJECT(play.source), cases[i].name, cases[i].value);
        state(&play, GST_STATE_PLAYING);
        wait_end(&play);
        REQUIRE(play.sound.first == (GstClockTime)at && play.sound.exact);
        REQUIRE_NEAR((double)float_count(&play.sound), (double)cases[i].length, 0, cases[i].first);
        float most = loudest(floats(&play.sound), cases[i].length);
        REQUIRE(most > 1e-5f && most <= 1);
        close_play(&play);
    }
}

TEST(segment_seeks_end_in_segment_done)
{
    struct play play;
    open_play(&play, TINY "! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    seek(&play, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_SEGMENT, 0, 50 * GST_MSECOND);
    state(&play, GST_STATE_PLAYING);
    GstMessage *message = wait_message(play.pipeline,
                                       GST_MESSAGE_SEGMENT_DONE | GST_MESSAGE_EOS | GST_MESSAGE_ERROR,
                                       PATIENCE);
    REQUIRE(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_SEGMENT_DONE);
    gst_message_unref(message);
    REQUIRE(float_count(&play.sound) == 2400);
    seek(&play, GST_SEEK_FLAG_SEGMENT, 0, 50 * GST_MSECOND); // and around, without a flush
    message = wait_message(play.pipeline, GST_MESSAGE_SEGMENT_DONE | GST_MESSAGE_EOS | GST_MESSAGE_ERROR,
                           PATIENCE);
    REQUIRE(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_SEGMENT_DONE);
    gst_message_unref(message);
    REQUIRE(float_count(&play.sound) == 4800);
    REQUIRE(memcmp(floats(&play.sound), floats(&play.sound) + 2400, 2400 * sizeof(float)) == 0);
    close_play(&play);
}

TEST(backwards_is_refused)
{
    struct play play;
    open_play(&play, TINY "num-clips=1 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    REQUIRE(!gst_element_seek(play.pipeline, -1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
                              GST_SEEK_TYPE_SET, GST_SECOND / 10));
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    REQUIRE(play.sound.first == 0);
    close_play(&play);
}

static gboolean seek_before_the_end(struct play *play)
{
    return gst_element_seek(play->pipeline, 1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                            GST_SEEK_TYPE_END, -(gint64)(GST_SECOND / 10), GST_SEEK_TYPE_NONE, 0);
}

// A number of clips has an end, from which a seek can be counted; a stream without end has none.
TEST(seeks_from_the_end_need_an_end)
{
    struct play play;
    open_play(&play, TINY "num-clips=2 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    gint64 length, position;
    REQUIRE(gst_element_query_duration(play.pipeline, GST_FORMAT_TIME, &length));
    REQUIRE(seek_before_the_end(&play));
    state(&play, GST_STATE_PAUSED);
    REQUIRE(gst_element_query_position(play.pipeline, GST_FORMAT_TIME, &position));
    REQUIRE_NEAR(length - position, GST_SECOND / 10, 1, "ns before the end");
    close_play(&play);

    open_play(&play, TINY "! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    REQUIRE(!seek_before_the_end(&play));
    close_play(&play);
}

TEST(events_in_any_state)
{
    struct play play;
    open_play(&play, TINY "num-clips=1 ! " F32 SINK);
    for (GstState at = GST_STATE_NULL; at <= GST_STATE_READY; at++) {
        state(&play, at);
        gst_element_send_event(play.source, gst_event_new_eos());
        gst_element_send_event(play.source, gst_event_new_flush_start());
        gst_element_send_event(play.source, gst_event_new_flush_stop(TRUE));
    }
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    close_play(&play);
}

TEST(stops_at_once_during_a_long_computation)
{
    struct play play;
    open_play(&play, SLOW "! " F32 SINK);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    g_usleep(500000);
    gint64 begin = g_get_monotonic_time();
    gst_element_send_event(play.pipeline, gst_event_new_eos()); // Ctrl-C of gst-launch-1.0 -e
    GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_EOS, PATIENCE);
    REQUIRE(message);
    gst_message_unref(message);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "EOS");

    begin = g_get_monotonic_time();
    gst_element_set_state(play.pipeline, GST_STATE_NULL);
    REQUIRE_NEAR(seconds_since(begin), 0, LONG, "NULL");
    close_play(&play);
}

static void errs(const char *line, GQuark domain, gint code, const char *text)
{
    struct play play;
    open_play(&play, line);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    int good = message_is(play.pipeline, GST_MESSAGE_ERROR, domain, code, text);
    GstMessage *second = wait_message(play.pipeline, GST_MESSAGE_ERROR, 0);
    close_play(&play);
    if (!good || second)
        TEST_FAIL("%s%s", line, second ? ": a second error" : "");
}

TEST(errors_say_what_is_wrong)
{
    GQuark resource = GST_RESOURCE_ERROR;
    errs("diffusesrc name=s model=there-is-none ! fakesink", resource, GST_RESOURCE_ERROR_NOT_FOUND,
         "there-is-none");
    errs("diffusesrc name=s model=tiny-denoise ! fakesink", GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
         "diffusesrc needs one that generates");
    errs("diffusesrc name=s model=tiny-sfx label=rian ! fakesink", resource, GST_RESOURCE_ERROR_NOT_FOUND,
         "rain");
    errs(TINY "crossfade=50 ! fakesink", GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "crossfade");
    struct play play;
    open_play(&play, TINY "device=vulkan gpu=abacus ! fakesink");
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_ERROR, PATIENCE);
    REQUIRE(message);
    GError *error;
    gst_message_parse_error(message, &error, NULL);
    REQUIRE(strstr(error->message, "no usable driver")); // hidden below
    g_error_free(error);
    gst_message_unref(message);
    // whoever waits for the loading must not wait for ever
    GstProgressType type = GST_PROGRESS_TYPE_START;
    message = wait_message(play.pipeline, GST_MESSAGE_PROGRESS, PATIENCE);
    REQUIRE(message);
    gst_message_parse_progress(message, &type, NULL, NULL);
    REQUIRE(type == GST_PROGRESS_TYPE_ERROR);
    gst_message_unref(message);
    close_play(&play);
}

TEST(loading_is_announced_and_ended)
{
    struct play play;
    open_play(&play, TINY "num-clips=1 ! fakesink");
    gst_element_set_state(play.pipeline, GST_STATE_PAUSED);
    const GstProgressType wanted[] = {GST_PROGRESS_TYPE_START, GST_PROGRESS_TYPE_COMPLETE};
    for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
        GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_PROGRESS, PATIENCE);
        REQUIRE(message);
        GstProgressType type;
        gst_message_parse_progress(message, &type, NULL, NULL);
        gst_message_unref(message);
        REQUIRE(type == wanted[i]);
    }
    GstStructure *info = NULL;
    g_object_get(play.source, "model-info", &info, NULL);
    REQUIRE(info);
    REQUIRE_STRING(gst_structure_get_string(info, "name"), "tiny-direct");
    gst_structure_free(info);
    close_play(&play);
}

TEST(latency_is_a_buffer)
{
    struct play play;
    open_play(&play, TINY "samplesperbuffer=480 ! " F32 ",rate=48000" SINK);
    GstQuery *query = gst_query_new_latency();
    REQUIRE(!gst_element_query(play.source, query)); // no rate yet
    state(&play, GST_STATE_PAUSED);
    REQUIRE(gst_element_query(play.source, query));
    gboolean live;
    GstClockTime min, max;
    gst_query_parse_latency(query, &live, &min, &max);
    REQUIRE(!live && min == 10 * GST_MSECOND && max == GST_CLOCK_TIME_NONE);
    gst_query_unref(query);
    close_play(&play);
}

// Clips that take seconds: the cadence is kept with silence, and that is said.
TEST(live_is_silent_where_a_clip_is_late)
{
    struct play play;
    open_play(&play, SLOW "is-live=true samplesperbuffer=960 ! " F32
                          ",rate=48000 ! fakesink name=k signal-handoffs=true sync=true");
    REQUIRE(gst_element_set_state(play.pipeline, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE);
    REQUIRE(gst_element_get_state(play.pipeline, NULL, NULL, PATIENCE * GST_SECOND) ==
            GST_STATE_CHANGE_NO_PREROLL);
    REQUIRE(rendered(&play) == 0);
    gint64 begin = g_get_monotonic_time();
    state(&play, GST_STATE_PLAYING);
    while (rendered(&play) < 25 && seconds_since(begin) < LONG)
        g_usleep(5000);
    double took = seconds_since(begin); // 25 buffers of 20 ms
    REQUIRE(took > 0.4 && took < LONG);
    GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_QOS, PATIENCE);
    REQUIRE(message);
    gst_message_unref(message);
    REQUIRE(!gst_element_seek_simple(play.pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0));
    gst_element_set_state(play.pipeline, GST_STATE_NULL);
    REQUIRE(play.sound.exact && play.sound.gaps == play.sound.buffers);
    REQUIRE(loudest(floats(&play.sound), float_count(&play.sound)) == 0);
    close_play(&play);
}

// Seconds by which what was rendered is behind the clock.
static double lag_of(struct play *play)
{
    g_mutex_lock(&play->mutex);
    GstClock *clock = gst_pipeline_get_clock(GST_PIPELINE(play->pipeline));
    GstClockTime running = gst_clock_get_time(clock) - gst_element_get_base_time(play->pipeline);
    double lag = (double)running - (double)play->sound.end;
    g_mutex_unlock(&play->mutex);
    gst_object_unref(clock);
    return lag / GST_SECOND;
}

// However long it lasts, silence keeps up with the clock. Buffers of a third of a millisecond make much of
// little.
TEST(live_silence_does_not_drift)
{
    struct play play;
    open_play(&play, SLOW "is-live=true samplesperbuffer=16 ! " F32
                          ",rate=48000 ! fakesink name=k signal-handoffs=true sync=false");
    state(&play, GST_STATE_PLAYING);
    g_usleep(2500000);
    gint64 begin = g_get_monotonic_time();
    double lag = lag_of(&play);
    while (lag > 0.15 && seconds_since(begin) < LONG) { // what drifts falls further behind; a busy machine
                                                        // catches up
        g_usleep(20000);
        lag = lag_of(&play);
    }
    close_play(&play);
    REQUIRE_NEAR(lag, 0, 0.15, "seconds behind the clock");
}

// Late or not, no sample of a clip is lost.
TEST(live_clips_are_whole)
{
    struct play plain, play;
    play_all(&plain, TINY "num-clips=1 ! " F32 SINK);
    play_all(&play,
             TINY "num-clips=1 is-live=true ! " F32 " ! fakesink name=k signal-handoffs=true sync=true");
    gsize count = float_count(&plain.sound), all = float_count(&play.sound);
    REQUIRE(all >= count && play.sound.exact);
    gsize skip = all - count; // silence until the clip was ready
    REQUIRE(loudest(floats(&play.sound), skip) == 0);
    REQUIRE(memcmp(floats(&play.sound) + skip, floats(&plain.sound), count * sizeof(float)) == 0);
    close_play(&plain);
    close_play(&play);
}

TEST(live_pauses_and_goes_on)
{
    struct play play;
    open_play(&play,
              TINY "is-live=true num-clips=1 ! " F32 " ! fakesink name=k signal-handoffs=true sync=true");
    state(&play, GST_STATE_PLAYING);
    gint64 begin = g_get_monotonic_time();
    while (rendered(&play) < 5 && seconds_since(begin) < PATIENCE)
        g_usleep(5000);
    state(&play, GST_STATE_PAUSED);
    g_usleep(100000);
    guint before = rendered(&play);
    g_usleep(1400000);
    REQUIRE(rendered(&play) <= before + 1);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    // GStreamer's base class drops the buffer that a pause finds waiting for the clock; its time passes all
    // the same.
    double lost = (double)(play.sound.end - play.sound.first) * 48000 / GST_SECOND -
                  (double)float_count(&play.sound);
    // A busy machine may lose a few more to being late; the 1.5 s of the pause itself (72 000) are never
    // among them.
    REQUIRE_NEAR(lost, 24000, 24001, "samples");
    close_play(&play);
}

static int next_percent(struct play *play)
{
    GstMessage *message = wait_message(play->pipeline,
                                       GST_MESSAGE_BUFFERING | GST_MESSAGE_ERROR | GST_MESSAGE_EOS, PATIENCE);
    gint percent = -1;
    if (message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_BUFFERING)
        gst_message_parse_buffering(message, &percent);
    if (message)
        gst_message_unref(message);
    return percent;
}

// A line whose clips take four times as long as they last: longer even if the machine was busy only while
// that was measured.
static char *slow_line(void)
{
    struct play play;
    play_all(&play, "diffusesrc name=s model=tiny-direct device=ref steps=2 num-clips=1 ! " F32 SINK);
    GstStructure *stats;
    double rtf = 0;
    g_object_get(play.source, "stats", &stats, NULL);
    REQUIRE(gst_structure_get_double(stats, "rtf", &rtf) && rtf > 0);
    gst_structure_free(stats);
    close_play(&play);
    return g_strdup_printf("diffusesrc name=s model=tiny-direct device=ref steps=%d lookahead=1 ! " F32
                           " ! fakesink name=k sync=true",
                           (int)CLAMP(2 * 4 / rtf, 1, 1000));
}

TEST(slower_than_the_clock_is_buffering)
{
    struct play play;
    char *line = slow_line();
    open_play(&play, line);
    g_free(line);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    int percent = next_percent(&play);
    REQUIRE(percent == 0);
    gst_element_set_state(play.pipeline, GST_STATE_PAUSED); // as an application does
    while (percent >= 0 && percent < 100)
        percent = next_percent(&play);
    REQUIRE(percent == 100);
    close_play(&play);
}

struct order {
    gint hundred; // atomic: that came
    gint early;   // atomic: while 0 % was still on its way
};

// Takes its time over 0 %, longer than a clip takes.
static GstBusSyncReply watch_order(GstBus *bus, GstMessage *message, gpointer user)
{
    struct order *order = user;
    gint percent = -1;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_BUFFERING)
        gst_message_parse_buffering(message, &percent);
    if (percent == 100)
        g_atomic_int_set(&order->hundred, 1);
    for (int i = 0; percent == 0 && i < 600 && !g_atomic_int_get(&order->early); i++) {
        g_usleep(10000);
        g_atomic_int_set(&order->early, g_atomic_int_get(&order->hundred));
    }
    return GST_BUS_PASS;
}

// An application that pauses at 0 % would wait for ever for a 100 % that came before.
TEST(buffering_begins_before_it_ends)
{
    struct play play;
    struct order order = {0, 0};
    char *line = slow_line();
    open_play(&play, line);
    g_free(line);
    GstBus *bus = gst_element_get_bus(play.pipeline);
    gst_bus_set_sync_handler(bus, watch_order, &order, NULL);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    REQUIRE(next_percent(&play) == 0 && !g_atomic_int_get(&order.early));
    int percent = 0;
    while (percent >= 0 && percent < 100)
        percent = next_percent(&play);
    REQUIRE(percent == 100);
    gst_bus_set_sync_handler(bus, NULL, NULL, NULL);
    gst_object_unref(bus);
    close_play(&play);
}

// A consumer that is slow but follows no clock needs no pause: it takes the next clip when that comes.
TEST(a_slow_consumer_without_a_clock_is_never_buffering)
{
    struct play play;
    open_play(
        &play,
        "diffusesrc name=s model=tiny-direct seed=0 device=ref steps=2 num-clips=3 lookahead=1 samplesperbuffer=4096 ! " F32
        " ! identity sleep-time=40000 ! fakesink name=k sync=false");
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    REQUIRE(next_percent(&play) == -1); // EOS came first
    close_play(&play);
}

TEST(a_buffering_query_is_answered)
{
    struct play play;
    open_play(&play, TINY "num-clips=1 lookahead=1 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    GstQuery *query = gst_query_new_buffering(GST_FORMAT_TIME);
    REQUIRE(gst_element_query(play.source, query));
    gboolean busy = TRUE;
    gint percent = 0, in = 0, out = 0;
    GstBufferingMode mode;
    gst_query_parse_buffering_percent(query, &busy, &percent);
    gst_query_parse_buffering_stats(query, &mode, &in, &out, NULL);
    REQUIRE(!busy && percent == 100 && mode == GST_BUFFERING_STREAM && in > 0 && out == 48000 * 4);
    gst_query_unref(query);
    close_play(&play);
}

// Before anything has started.
TEST(labels_are_listed_in_every_state)
{
    GstElement *source = gst_parse_launch("diffusesrc model=tiny-sfx", NULL);
    GStrv labels = NULL;
    g_object_get(source, "labels", &labels, NULL);
    REQUIRE(labels && g_strv_length(labels) > 2 && g_strv_contains((const char *const *)labels, "kick"));
    g_strfreev(labels);
    g_object_set(source, "model", "there-is-none", NULL);
    g_object_get(source, "labels", &labels, NULL);
    REQUIRE(!labels);
    gst_object_unref(source);
}

TEST(no_format_is_listed_twice)
{
    GstElement *source = gst_element_factory_make("diffusesrc", NULL);
    GstPad *pad = gst_element_get_static_pad(source, "src");
    GstCaps *caps = gst_pad_get_pad_template_caps(pad);
    const GValue *formats = gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");
    guint count = gst_value_list_get_size(formats);
    for (guint i = 0; i < count; i++)
        for (guint k = 0; k < i; k++)
            REQUIRE(gst_value_compare(gst_value_list_get_value(formats, i),
                                      gst_value_list_get_value(formats, k)) != GST_VALUE_EQUAL);
    REQUIRE(count == 15);
    gst_caps_unref(caps);
    gst_object_unref(pad);
    gst_object_unref(source);
}

TEST(a_file_is_never_buffering)
{
    struct play play;
    play_all(&play, TINY "num-clips=3 lookahead=1 ! " F32 SINK);
    close_play(&play);
    open_play(&play, TINY "num-clips=3 lookahead=1 ! " F32 SINK);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    REQUIRE(next_percent(&play) == -1); // EOS came first
    close_play(&play);
}

TEST(each_clip_is_told)
{
    struct play play;
    open_play(&play, "diffusesrc name=s model=tiny-sfx label=kick steps=1 seed=9 num-clips=2 ! " F32 SINK);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    for (guint64 i = 0; i < 2; i++) {
        GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_ELEMENT, PATIENCE);
        REQUIRE(message);
        const GstStructure *structure = gst_message_get_structure(message);
        guint64 index = 99, seed = 0, time = 0;
        REQUIRE(gst_structure_has_name(structure, "diffuse-clip"));
        REQUIRE(gst_structure_get_uint64(structure, "index", &index) &&
                gst_structure_get_uint64(structure, "seed", &seed));
        REQUIRE(gst_structure_get_uint64(structure, "timestamp", &time));
        REQUIRE_STRING(gst_structure_get_string(structure, "label"), "kick");
        REQUIRE(index == i && seed == 9 && time == i * (duration(&play) / 2));
        gst_message_unref(message);
    }
    close_play(&play);
}

// The recipe in the tags of a line holds all of these, and not `without`.
static void tags_say(const char *line, const char *const *words, const char *without)
{
    struct play play;
    open_play(&play, line);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_TAG, PATIENCE);
    if (!message)
        TEST_FAIL("%s: no tags", line);
    GstTagList *tags;
    char *comment = NULL;
    gst_message_parse_tag(message, &tags);
    REQUIRE(gst_tag_list_get_string(tags, GST_TAG_COMMENT, &comment));
    for (; *words; words++)
        if (!strstr(comment, *words))
            TEST_FAIL("%s: no \"%s\"", comment, *words);
    if (without && strstr(comment, without))
        TEST_FAIL("%s: it has \"%s\"", comment, without);
    g_free(comment);
    gst_tag_list_unref(tags);
    gst_message_unref(message);
    close_play(&play);
}

TEST(tags_tell_how_to_make_it_again)
{
    const char *const plain[] = {"\"verb\":\"stream\"", "\"model\":\"tiny-direct\"", "\"seed\":9",
                                 "\"steps\":2",         "\"num_clips\":1",           NULL};
    const char *const set[] = {
        "\"label\":\"bell\"",     "\"steps\":2", "\"sampler\":\"ddim\"", "\"guidance\":1.5", "\"gap\":0.5",
        "\"guidance_from\":0.25", NULL};
    const char *const student[] = {"\"student\":true", "\"steps\":3", "\"sampler\":\"ddim\"",
                                   "\"crossfade\":0.5", NULL};
    // It recommends 2, and has no class for "no label" to guide away from.
    const char *const teacher[] = {"\"steps\":5", "\"sampler\":\"dpmpp-2m\"", "\"guidance\":1.0", NULL};
    tags_say(TINY "seed=9 num-clips=1 ! " F32 SINK, plain, "student");
    tags_say(
        "diffusesrc name=s model=tiny-sfx label=bell steps=2 sampler=ddim guidance=1.5 guidance-from=0.25 gap=0.5 "
        "num-clips=1 ! " F32 SINK,
        set, "student");

    scratch_student();
    char *line = g_strdup_printf("diffusesrc name=s model=%s crossfade=0.5 num-clips=1 ! " F32 SINK, scratch);
    tags_say(line, student, "rescale");
    g_free(line);
    line = g_strdup_printf("diffusesrc name=s model=%s steps=5 num-clips=1 ! " F32 SINK, scratch);
    tags_say(line, teacher, "student");
    g_free(line);
    scratch_remove();
}

static char *next_comment(struct play *play)
{
    GstMessage *message = wait_message(play->pipeline, GST_MESSAGE_TAG, PATIENCE);
    REQUIRE(message);
    GstTagList *tags;
    char *comment = NULL;
    gst_message_parse_tag(message, &tags);
    gst_tag_list_get_string(tags, GST_TAG_COMMENT, &comment);
    gst_tag_list_unref(tags);
    gst_message_unref(message);
    REQUIRE(comment);
    return comment;
}

// New settings, new tags: with the first clip that has them.
TEST(tags_follow_the_settings)
{
    struct play play;
    open_play(&play, "diffusesrc name=s model=tiny-sfx steps=1 label=kick seed=3 num-clips=3 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    char *comment = next_comment(&play);
    REQUIRE(strstr(comment, "kick") && strstr(comment, "\"seed\":3"));
    g_free(comment);
    drop_messages(play.pipeline);
    g_object_set(play.source, "label", "bell", "seed", G_GINT64_CONSTANT(99), NULL);
    state(&play, GST_STATE_PLAYING);
    comment = next_comment(&play);
    REQUIRE(strstr(comment, "bell") && strstr(comment, "\"seed\":99"));
    g_free(comment);
    wait_end(&play);
    close_play(&play);
}

// What the model refuses is not what the property says.
TEST(a_refused_label_is_taken_back)
{
    struct play play;
    open_play(&play, "diffusesrc name=s model=tiny-sfx steps=1 label=kick seed=3 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    g_object_set(play.source, "label", "magic", NULL);
    REQUIRE(message_is(play.pipeline, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                       "magic"));
    char *label;
    g_object_get(play.source, "label", &label, NULL);
    REQUIRE_STRING(label, "kick");
    g_free(label);
    close_play(&play);
}

// With trim, an event begins at once, and the gap alone lies between two.
TEST(trimmed_events_follow_each_other)
{
    struct play whole, play;
    play_all(&whole,
             "diffusesrc name=s model=tiny-sfx label=bell seed=0 steps=1 num-clips=2 gap=0.25 ! " F32 SINK);
    play_all(
        &play,
        "diffusesrc name=s model=tiny-sfx label=bell seed=0 steps=1 num-clips=2 gap=0.25 trim=true ! " F32
            SINK);
    gsize all = float_count(&whole.sound), count = float_count(&play.sound);
    float least = loudest(floats(&play.sound), count) / 1000;
    REQUIRE(count <= all && count > 24000 && play.sound.exact && play.sound.end == duration(&play));
    REQUIRE(loudest(floats(&play.sound), 1 + 48 * 6) > least / 2); // within the margin
    REQUIRE(loudest(floats(&play.sound) + count - 12000, 12000) == 0);
    REQUIRE(loudest(floats(&play.sound) + count - 12000 - 48 * 6, 48 * 6) > 0);
    close_play(&whole);
    close_play(&play);

    // a texture has no silence to cut
    play_all(&whole, "diffusesrc name=s model=tiny-sfx label=rain seed=0 steps=1 num-clips=1 ! " F32 SINK);
    play_all(&play,
             "diffusesrc name=s model=tiny-sfx label=rain seed=0 steps=1 num-clips=1 trim=true ! " F32 SINK);
    REQUIRE(play.sound.bytes->len == whole.sound.bytes->len);
    close_play(&whole);
    close_play(&play);
}

// Where clips are cut, a seek lands on the sample too: the clips in front of it are computed for their
// lengths.
TEST(a_seek_among_trimmed_events_lands_on_the_sample)
{
    const char *line =
        "diffusesrc name=s model=tiny-sfx label=bell seed=0 steps=1 num-clips=4 trim=true ! " F32
        ",rate=48000" SINK;
    struct play whole;
    play_all(&whole, line);
    gsize frames = float_count(&whole.sound);
    for (gsize part = 1; part < 8; part += 2) {
        struct play play;
        gsize at = frames * part / 8, seconds = at / 48000;
        open_play(&play, line);
        state(&play, GST_STATE_PAUSED);
        seek(&play, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, (gint64)(seconds * GST_SECOND), -1);
        state(&play, GST_STATE_PLAYING);
        wait_end(&play);
        at = seconds * 48000;
        REQUIRE(play.sound.first == seconds * GST_SECOND && float_count(&play.sound) == frames - at);
        REQUIRE(memcmp(floats(&play.sound), floats(&whole.sound) + at, (frames - at) * sizeof(float)) == 0);
        close_play(&play);
    }
    close_play(&whole);
}

// The comment tag is read by the library's one reader, and asks for what was asked for.
TEST(the_recipe_in_the_tags_is_read_back)
{
    struct play play;
    struct ebb_error error = {0};
    char *comment = NULL;
    GstTagList *tags;
    open_play(&play, TINY "seed=5 num-clips=2 ! " F32 SINK);
    gst_element_set_state(play.pipeline, GST_STATE_PLAYING);
    GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_TAG, 20);
    REQUIRE(message);
    gst_message_parse_tag(message, &tags);
    REQUIRE(gst_tag_list_get_string(tags, GST_TAG_COMMENT, &comment));
    struct ebb_recipe *recipe = ebb_recipe_read(comment, &error);
    if (!recipe)
        TEST_FAIL("%s: %s", error.message, comment);
    REQUIRE(ebb_recipe_verb(recipe) == EBB_VERB_STREAM && ebb_recipe_seed(recipe, "seed") == 5);
    REQUIRE(ebb_recipe_number(recipe, "num-clips") == 2 && ebb_recipe_number(recipe, "steps") == 2);
    ebb_recipe_destroy(&recipe);
    g_free(comment);
    gst_tag_list_unref(tags);
    gst_message_unref(message);
    close_play(&play);
}

// Every row of the table that a stream has is a property, with the row's range.
TEST(every_setting_is_a_property)
{
    GstElement *source = gst_element_factory_make("diffusesrc", NULL),
               *filter = gst_element_factory_make("diffusedenoise", NULL);
    EBB_EACH_SETTING (row) {
        for (int i = 0; i < 2; i++) {
            enum ebb_verb verb = i ? EBB_VERB_DENOISE : EBB_VERB_STREAM;
            if (row->role != EBB_ROLE_SOUND || !ebb_setting_applies(row, verb) ||
                g_str_has_prefix(row->name, "live"))
                continue;
            GParamSpec *pspec = g_object_class_find_property(G_OBJECT_GET_CLASS(i ? filter : source),
                                                             row->name);
            if (!pspec)
                TEST_FAIL("%s is no property", row->name);
            bool open = !row->initial || strcmp(row->initial, "inf") == 0;
            if (G_IS_PARAM_SPEC_DOUBLE(pspec))
                REQUIRE(G_PARAM_SPEC_DOUBLE(pspec)->maximum == row->high &&
                        G_PARAM_SPEC_DOUBLE(pspec)->minimum == (open ? -1 : row->low));
            if (G_IS_PARAM_SPEC_INT(pspec))
                REQUIRE(G_PARAM_SPEC_INT(pspec)->maximum == row->high &&
                        G_PARAM_SPEC_INT(pspec)->minimum == (open ? -1 : row->low));
        }
    }
    gst_object_unref(source);
    gst_object_unref(filter);
}

// Every choice of the library is a value of the enumeration, and `auto` leaves it open.
TEST(choices_are_enumerations)
{
    const char *const factories[] = {"diffusesrc", "diffusedenoise"};
    const enum ebb_verb verbs[] = {EBB_VERB_STREAM, EBB_VERB_DENOISE};
    for (int i = 0; i < 2; i++) {
        GstElement *element = gst_element_factory_make(factories[i], NULL);
        EBB_EACH_SETTING (row) {
            if (row->type != EBB_SETTING_CHOICE || row->role != EBB_ROLE_SOUND ||
                !ebb_setting_applies(row, verbs[i]))
                continue;
            const char *initial = row->initial ? row->initial : "auto";
            REQUIRE(choice_is(element, row->name, initial));
            for (size_t k = 0; row->choice(k); k++) {
                gst_util_set_object_arg(G_OBJECT(element), row->name, row->choice(k));
                REQUIRE(choice_is(element, row->name, row->choice(k)));
            }
            gst_util_set_object_arg(G_OBJECT(element), row->name, initial);
            REQUIRE(choice_is(element, row->name, initial));
        }
        REQUIRE(choice_is(element, "device", "auto"));
        gst_object_unref(element);
    }
}

static gint64 seed_of(struct play *play)
{
    gint64 seed = -2;
    g_object_get(play->source, "seed", &seed, NULL);
    return seed;
}

// Nobody set a seed: it is drawn, anew at each start, and can be read; with it the sound is made again.
TEST(a_seed_is_drawn_and_told)
{
    struct play drawn, again;
    play_all(&drawn, "diffusesrc name=s model=tiny-direct steps=2 num-clips=1 ! " F32 SINK);
    gint64 seed = seed_of(&drawn);
    REQUIRE(seed >= 0);
    char *line = g_strdup_printf(TINY "seed=%" G_GINT64_FORMAT " num-clips=1 ! " F32 SINK, seed);
    play_all(&again, line);
    g_free(line);
    REQUIRE(seed_of(&again) == seed && again.sound.bytes->len == drawn.sound.bytes->len);
    REQUIRE(memcmp(again.sound.bytes->data, drawn.sound.bytes->data, drawn.sound.bytes->len) == 0);
    gst_element_set_state(again.pipeline, GST_STATE_READY);
    state(&again, GST_STATE_PAUSED);
    REQUIRE(seed_of(&again) == seed); // it was set
    g_object_set(again.source, "seed", G_GINT64_CONSTANT(-1), NULL);
    REQUIRE(seed_of(&again) >= 0 && seed_of(&again) != seed);
    gst_element_set_state(drawn.pipeline, GST_STATE_READY);
    state(&drawn, GST_STATE_PAUSED);
    REQUIRE(seed_of(&drawn) >= 0 && seed_of(&drawn) != seed);
    close_play(&drawn);
    close_play(&again);
    GstElement *source = gst_element_factory_make("diffusesrc", NULL);
    char *address = gst_uri_handler_get_uri(GST_URI_HANDLER(source));
    REQUIRE_STRING(address, "diffuse://");
    g_free(address);
    gst_object_unref(source);
}

TEST(minus_one_clip_is_no_end)
{
    struct play play;
    open_play(&play, TINY "num-clips=-1 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    REQUIRE(duration(&play) == GST_CLOCK_TIME_NONE);
    close_play(&play);
}

// -1, and whatever is below the range, is what the model recommends: all of these make the same sound.
TEST(open_numbers_are_as_recommended)
{
    struct play open, said;
    play_all(&open,
             "diffusesrc name=s model=tiny-sfx seed=0 label=kick device=cpu num-clips=1 gap=0 ! " F32 SINK);
    play_all(
        &said,
        "diffusesrc name=s model=tiny-sfx seed=0 label=kick device=cpu num-clips=1 gap=0 steps=0 guidance=-1 eta=-1 "
        "guidance-from=-1 churn-to=-1 ! " F32 SINK);
    REQUIRE(open.sound.bytes->len == said.sound.bytes->len);
    REQUIRE(memcmp(open.sound.bytes->data, said.sound.bytes->data, open.sound.bytes->len) == 0);
    close_play(&open);
    close_play(&said);
}

// No GPU for this program, whatever the machine has: the loader looks for drivers once, when it is first
// used.
__attribute__((constructor)) static void hide_gpus(void)
{
    g_setenv("VK_ICD_FILENAMES", "/nonexistent", TRUE);
    g_setenv("VK_DRIVER_FILES", "/nonexistent", TRUE);
}

// Where there is no GPU that is no fault.
TEST(auto_tells_when_it_plays_on_the_cpu)
{
    struct play play;
    open_play(&play, "diffusesrc name=s model=tiny-direct device=auto steps=1 num-clips=1 ! " F32 SINK);
    state(&play, GST_STATE_PLAYING);
    REQUIRE(message_is(play.pipeline, GST_MESSAGE_INFO, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                       "on the CPU"));
    // In one wait: it throws away what it does not look for, and the end may be there already.
    GstMessageType types = GST_MESSAGE_WARNING | GST_MESSAGE_ERROR | GST_MESSAGE_EOS;
    GstMessage *next = wait_message(play.pipeline, types, PATIENCE);
    REQUIRE(next && GST_MESSAGE_TYPE(next) == GST_MESSAGE_EOS);
    gst_message_unref(next);
    close_play(&play);
}

// A change is heard from the next clip on; one that does not fit is a warning, and the sound goes on.
TEST(settings_change_while_playing)
{
    struct play play, other;
    open_play(&play, "diffusesrc name=s model=tiny-direct seed=0 device=cpu steps=1 num-clips=3 ! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    g_object_set(play.source, "label", "magic", NULL);
    REQUIRE(message_is(play.pipeline, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                       "magic"));
    g_object_set(play.source, "label", NULL, "seed", G_GINT64_CONSTANT(77), NULL);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    play_all(&other, "diffusesrc name=s model=tiny-direct steps=1 num-clips=3 seed=77 ! " F32 SINK);
    gsize clip = float_count(&other.sound) / 3;
    REQUIRE(play.sound.exact && float_count(&play.sound) == 3 * clip);
    REQUIRE(memcmp(floats(&play.sound) + 2 * clip, floats(&other.sound) + 2 * clip, clip * sizeof(float)) ==
            0);
    REQUIRE(memcmp(floats(&play.sound), floats(&other.sound), clip / 2 * sizeof(float)) != 0);
    close_play(&play);
    close_play(&other);
}

static gint64 resident(void)
{
    char *text = NULL;
    REQUIRE(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
    gint64 pages = g_ascii_strtoll(strchr(text, ' '), NULL, 10);
    g_free(text);
    return pages * 4096;
}

TEST(num_clips_may_change)
{
    struct play play;
    open_play(&play, TINY "! " F32 SINK);
    state(&play, GST_STATE_PAUSED);
    REQUIRE(duration(&play) == GST_CLOCK_TIME_NONE);
    drop_messages(play.pipeline);
    g_object_set(play.source, "num-clips", G_GUINT64_CONSTANT(2), NULL);
    GstMessage *message = wait_message(play.pipeline, GST_MESSAGE_DURATION_CHANGED, PATIENCE);
    REQUIRE(message);
    gst_message_unref(message);
    GstClockTime end = duration(&play);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    REQUIRE(play.sound.end == end);
    close_play(&play);
}

// The gap is not kept as samples, and it is the library's all the same.
TEST(gaps_are_silence)
{
    struct play plain, play;
    play_all(&plain,
             "diffusesrc name=s model=tiny-sfx seed=0 label=bell steps=1 num-clips=2 gap=0 ! " F32 SINK);
    play_all(&play,
             "diffusesrc name=s model=tiny-sfx seed=0 label=bell steps=1 num-clips=2 gap=0.25 ! " F32 SINK);
    gsize sound = float_count(&plain.sound) / 2, clip = float_count(&play.sound) / 2;
    REQUIRE(sound == 131072 && clip == sound + 12000 && play.sound.exact &&
            play.sound.end == duration(&play));
    for (gsize i = 0; i < 2; i++) {
        REQUIRE(memcmp(floats(&play.sound) + i * clip, floats(&plain.sound) + i * sound,
                       sound * sizeof(float)) == 0);
        REQUIRE(loudest(floats(&play.sound) + i * clip + sound, 12000) == 0);
    }
    close_play(&plain);
    close_play(&play);

    open_play(&play,
              "diffusesrc name=s model=tiny-sfx seed=0 label=bell steps=1 num-clips=2 gap=3600 ! " F32 SINK);
    gint64 before = resident();
    state(&play, GST_STATE_PAUSED);
    REQUIRE(duration(&play) > 7200 * GST_SECOND);
    GstStructure *stats;
    guint queued = 0;
    for (int i = 0; queued < 2 && i < PATIENCE * 50; i++) {
        g_usleep(20000);
        g_object_get(play.source, "stats", &stats, NULL);
        gst_structure_get_uint(stats, "queued", &queued);
        gst_structure_free(stats);
    }
    REQUIRE(queued == 2);
    REQUIRE_NEAR((double)(resident() - before), 0, 300e6, "bytes"); // an hour of samples is 691 MB
    close_play(&play);
}

TEST(volume_can_be_driven)
{
    struct play plain, play;
    play_all(&plain, TINY "num-clips=1 ! " F32 SINK);
    open_play(&play, TINY "num-clips=1 ! " F32 SINK);
    GstControlSource *control = gst_interpolation_control_source_new();
    g_object_set(control, "mode", GST_INTERPOLATION_MODE_LINEAR, NULL);
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(control), 0, 0);
    gst_timed_value_control_source_set(GST_TIMED_VALUE_CONTROL_SOURCE(control), 10 * GST_SECOND, 1);
    gst_object_add_control_binding(GST_OBJECT(play.source),
                                   gst_direct_control_binding_new_absolute(GST_OBJECT(play.source), "volume",
                                                                           control));
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    gsize count = float_count(&plain.sound);
    double tolerance = 1024.0 / 48000 / 10 * 1.1; // the ramp is followed within a buffer
    for (gsize i = 0; i < count; i++)
        REQUIRE_NEAR(floats(&play.sound)[i], floats(&plain.sound)[i] * ((double)i / 480000), tolerance,
                     "ramp");
    REQUIRE(loudest(floats(&play.sound) + count / 2, count / 2) > 0);
    gst_object_unref(control);
    close_play(&plain);
    close_play(&play);
}

TEST(caps_may_change_in_mid_stream)
{
    struct play play;
    open_play(&play, TINY "num-clips=2 ! capsfilter name=f caps=" F32 ",rate=48000" SINK);
    state(&play, GST_STATE_PAUSED);
    GstElement *filter = gst_bin_get_by_name(GST_BIN(play.pipeline), "f");
    gst_util_set_object_arg(G_OBJECT(filter), "caps", F32 ",rate=24000");
    gst_object_unref(filter);
    GstClockTime end = duration(&play);
    state(&play, GST_STATE_PLAYING);
    wait_end(&play);
    REQUIRE(play.sound.exact);
    REQUIRE_NEAR((double)play.sound.end, (double)end, 1e9 / 24000, "end");
    REQUIRE(float_count(&play.sound) < gst_util_uint64_scale(end, 30000, GST_SECOND));
    close_play(&play);
}

TEST(two_in_one_process)
{
    struct play alone, play;
    play_all(&alone, TINY "num-clips=2 ! " F32 SINK);
    play_all(&play, TINY "num-clips=2 ! " F32 SINK
                         "diffusesrc model=tiny-direct steps=2 seed=4 num-clips=2 ! fakesink");
    REQUIRE(play.sound.bytes->len == alone.sound.bytes->len);
    REQUIRE(memcmp(play.sound.bytes->data, alone.sound.bytes->data, alone.sound.bytes->len) == 0);
    close_play(&play);
    close_play(&alone);
}

// A model that is asked in words; the place between two prompts is moved while it plays.
TEST(prompts)
{
    struct play rain, path, same;
    const char *line =
        "diffusesrc name=s model=tiny-riffusion steps=1 seed=3 num-clips=2 prompt=rain %s ! " F32 SINK;
    char *words = g_strdup_printf(line, "");
    char *between = g_strdup_printf(line, "to-prompt=wind share=0.5"),
         *begin = g_strdup_printf(line, "to-prompt=wind");
    play_all(&rain, words);
    play_all(&path, between);
    play_all(&same, begin);
    REQUIRE(rain.sound.bytes->len > 0 && rain.sound.bytes->len == path.sound.bytes->len);
    REQUIRE(memcmp(rain.sound.bytes->data, path.sound.bytes->data, rain.sound.bytes->len) != 0);
    REQUIRE(memcmp(rain.sound.bytes->data, same.sound.bytes->data, rain.sound.bytes->len) == 0);
    close_play(&rain);
    close_play(&path);
    close_play(&same);
    g_free(words);
    g_free(between);
    g_free(begin);
}

TEST(addresses)
{
    GstElement *source = gst_element_make_from_uri(GST_URI_SRC,
                                                   "diffuse://sea_waves?seed=3&num-clips=2&gap=0.5", NULL,
                                                   NULL);
    REQUIRE(source);
    char *label;
    gint64 seed, clips;
    double gap;
    g_object_get(source, "label", &label, "seed", &seed, "num-clips", &clips, "gap", &gap, NULL);
    REQUIRE_STRING(label, "sea_waves");
    REQUIRE(seed == 3 && clips == 2 && gap == 0.5);
    g_free(label);
    char *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(source));
    REQUIRE_STRING(uri, "diffuse://sea_waves?seed=3&num-clips=2&gap=0.5"); // there and back
    g_free(uri);
    REQUIRE(gst_uri_handler_set_uri(GST_URI_HANDLER(source),
                                    "diffuse://rain?guidance-to=0.5&sampler=heun&volume=0.5", NULL));
    double until, volume;
    g_object_get(source, "guidance-to", &until, "volume", &volume, NULL);
    REQUIRE(until == 0.5 && volume == 0.5);
    REQUIRE(gst_uri_handler_set_uri(GST_URI_HANDLER(source), "diffuse://?prompt=rain%20%26%20wind&share=0.5",
                                    NULL));
    char *prompt;
    double share;
    g_object_get(source, "prompt", &prompt, "share", &share, NULL);
    REQUIRE_STRING(prompt, "rain & wind");
    REQUIRE(share == 0.5);
    g_free(prompt);
    REQUIRE(gst_uri_handler_set_uri(GST_URI_HANDLER(source), "DIFFUSE://rain/?prompt=", NULL)); // of a browser
    g_object_get(source, "label", &label, NULL);
    REQUIRE_STRING(label, "rain");
    g_free(label);
    REQUIRE(gst_uri_handler_set_uri(GST_URI_HANDLER(source), "diffuse://rain/wind", NULL));
    g_object_get(source, "label", &label, NULL);
    REQUIRE_STRING(label, "rain/wind"); // which no model has: nothing is left out without a word
    g_free(label);
    static const struct {
        const char *asked, *written;
        int student;
    } again[] = {{"diffuse://rain?student=1", "diffuse://rain?student=true", 1},
                 {"diffuse://rain?student=true", "diffuse://rain?student=true", 1},
                 {"diffuse://rain?student=0", "diffuse://rain?student=false", 0},
                 {"diffuse://rain?student=false", "diffuse://rain?student=false", 0},
                 {"diffuse://rain//", "diffuse://rain%2F", -1},
                 {"diffuse://rain%2F", "diffuse://rain%2F", -1}};
    for (size_t i = 0; i < G_N_ELEMENTS(again); i++) { // what is written can be read
        GstElement *one = gst_element_make_from_uri(GST_URI_SRC, again[i].asked, NULL, NULL);
        REQUIRE(one);
        char *written = gst_uri_handler_get_uri(GST_URI_HANDLER(one));
        int student;
        g_object_get(one, "student", &student, NULL);
        REQUIRE_STRING(written, again[i].written);
        REQUIRE(student == again[i].student);
        g_free(written);
        gst_object_unref(one);
    }
    const char *const bad[] = {"diffuse://x?device=vulkan", "diffuse://x?seed=many",
                               "diffuse://x?seed=",         "diffuse://x?num-clips",
                               "diffuse://x?gap=-1",        "diffuse://%zz",
                               "diffuse://x?sampler=magic", "diffuse://x?stpes=3",
                               "diffuse://x?label=y"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        REQUIRE(!gst_uri_handler_set_uri(GST_URI_HANDLER(source), bad[i], &error));
        REQUIRE(error);
        g_error_free(error);
    }
    gst_object_unref(source);
}

GST_TEST_MAIN
