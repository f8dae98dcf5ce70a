// SPDX-License-Identifier: LGPL-2.1-or-later
// Elements that work for long in one process: what they hold must not grow. soak CLIPS SEEKS CYCLES:
// clips of one diffusesrc, seeks of another, and cycles of four elements between NULL and PLAYING.
// docs/reliability.md has the numbers of a long run.
#include "common.h"

#include <dirent.h>
#include <malloc.h>

#define SOURCE "diffusesrc model=tiny-direct steps=1 seed=3 device=cpu threads=1 "
#define SINK " ! fakesink name=sink sync=false"

static int rounds[3] = {40, 80, 12}; // clips, seeks, cycles

// ---- what the process holds ----

struct held {
    gsize bytes; // allocated and not freed
    int descriptors, threads;
};

static int entries(const char *folder)
{
    int count = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

// A thread that has been joined, or that a pool has let go, may still be on its way out.
static int settled_threads(int fewest)
{
    enum { TRIES = 50, STEP = 10000 }; // half a second, in microseconds
    int threads = entries("/proc/self/task");
    for (int i = 0; i < TRIES && threads > fewest; i++) {
        g_usleep(STEP);
        threads = entries("/proc/self/task");
    }
    return threads;
}

// `fewest`: threads at an earlier look; more are waited for to go.
static struct held look(int fewest)
{
    int threads = settled_threads(fewest);
    struct mallinfo2 info = mallinfo2();
    return (struct held){info.uordblks + info.hblkhd, entries("/proc/self/fd"), threads};
}

static struct held least(struct held a, struct held b)
{
    return (struct held){MIN(a.bytes, b.bytes), MIN(a.descriptors, b.descriptors), MIN(a.threads, b.threads)};
}

// Work that is done `count` times. The least of the last quarter is compared with the least of the second:
// what is made once is made in the first, and how many clips lie in a queue differs from time to time.
static void soak(const char *what, int count, void (*work)(int i))
{
    enum { ROOM = 256 << 10 }; // bytes
    struct held quarter[4];
    int fewest = G_MAXINT;
    for (int i = 0; i < count; i++) {
        work(i);
        int which = (int)((gint64)i * 4 / count), last = i ? (int)((gint64)(i - 1) * 4 / count) : -1;
        struct held now = look(fewest);
        quarter[which] = which == last ? least(quarter[which], now) : now;
        fewest = MIN(fewest, now.threads);
    }
    const struct held *before = &quarter[1], *after = &quarter[3];
    printf("# %d %s: %zu -> %zu KiB, %d -> %d descriptors, %d -> %d threads\n", count, what,
           before->bytes / 1024, after->bytes / 1024, before->descriptors, after->descriptors,
           before->threads, after->threads);
    fflush(stdout);
    REQUIRE(after->bytes <= before->bytes + ROOM);
    REQUIRE(after->descriptors <= before->descriptors);
    REQUIRE(after->threads <= before->threads);
}

// ---- work ----

static GstElement *pipeline;
static GstPad *pad;

static void start(const char *line)
{
    GError *error = NULL;
    pipeline = gst_parse_launch(line, &error);
    if (!pipeline)
        TEST_FAIL("%s: %s", line, error->message);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    pad = gst_element_get_static_pad(sink, "sink");
    gst_object_unref(sink);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
}

static void stop(void)
{
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pad);
    gst_object_unref(pipeline);
}

// The element posts a message as each clip begins.
static void hear_clip(int i)
{
    GstMessage *message = wait_message(pipeline, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR, PATIENCE);
    REQUIRE(message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT);
    gst_message_unref(message);
    drop_messages(pipeline);
}

static void seek(int i)
{
    gint64 to = (gint64)(i * 7919 % 20000) * GST_MSECOND;
    REQUIRE(gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, to));
    REQUIRE(gst_element_get_state(pipeline, NULL, NULL, PATIENCE * GST_SECOND) != GST_STATE_CHANGE_FAILURE);
    drop_messages(pipeline);
}

static void play_cue(void)
{
    GstHarness *h = harness_new("diffusefx model=tiny-sfx steps=1 phase-iterations=1 seed=3 device=cpu "
                                "threads=1");
    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, "text/x-raw,format=utf8");
    GstBuffer *cue = gst_buffer_new_memdup("bell", 4), *sound = NULL;
    GST_BUFFER_PTS(cue) = 0;
    GST_BUFFER_DURATION(cue) = GST_SECOND / 2;
    REQUIRE(gst_harness_push(h, cue) == GST_FLOW_OK);
    REQUIRE(gst_harness_push_event(h, gst_event_new_eos()));
    while (gst_harness_pull_until_eos(h, &sound) && sound)
        gst_buffer_unref(sound);
    harness_end(h);
}

static void until_heard(void)
{
    REQUIRE(gst_element_get_state(pipeline, NULL, NULL, PATIENCE * GST_SECOND) != GST_STATE_CHANGE_FAILURE);
}

static void cycle(int i)
{
    start(SOURCE SINK);
    GstElement *first = pipeline;
    GstPad *first_pad = pad;
    start(SOURCE "! diffusedenoise model=tiny-denoise steps=1 device=cpu threads=1" SINK);
    if (i % 4) // a start that is stopped at once is a cycle too
        until_heard();
    if (i % 4 == 1)
        play_cue();
    stop();
    pipeline = first;
    pad = first_pad;
    stop();
}

TEST(clips)
{
    start(SOURCE "num-clips=0" SINK);
    soak("clips", rounds[0], hear_clip);
    stop();
}

TEST(seeks)
{
    start(SOURCE "num-clips=0" SINK);
    soak("seeks", rounds[1], seek);
    stop();
}

TEST(cycles)
{
    soak("cycles of four elements", rounds[2], cycle);
}

int main(int argc, char **argv)
{
    mallopt(M_ARENA_MAX, 1);                 // so that one number tells what is allocated
    g_thread_pool_set_max_unused_threads(0); // GLib would keep threads of pipelines that are gone
    for (int i = 1; i < argc && i <= 3; i++)
        rounds[i - 1] = atoi(argv[i]);
    setup_gst(NULL, NULL);
    int failed = test_main(1, argv);
    if (!failed)
        gst_deinit();
    return failed;
}
