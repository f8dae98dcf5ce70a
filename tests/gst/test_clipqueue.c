// SPDX-License-Identifier: LGPL-2.1-or-later
// The queue of clips alone: where clips lie, which one is computed next, what is read. Sample k of clip i is
// 1000 i + k.
#include "test.h"

#include "clipqueue.h"

enum { LENGTH = 2000, SOUND = 1900 };

static float value(guint64 index, gsize k)
{
    return k < SOUND ? (float)(1000 * index + k) : 0;
}

static void append(struct clip_queue *queue)
{
    struct clip_origin *origin = clip_origin_create(NULL, "rain", 7);
    struct clip *clip = clip_create(queue->next, origin, queue->length, SOUND, 1);
    clip_origin_unref(&origin);
    for (gsize k = 0; k < SOUND; k++)
        clip->samples[k] = value(queue->next, k);
    clip_queue_append(queue, clip);
}

static void fill(struct clip_queue *queue)
{
    while (clip_queue_has_work(queue))
        append(queue);
}

// Reads across the begins of clips; returns how many samples, and where the last clip began, G_MAXSIZE: none
// did.
static gsize read_on(struct clip_queue *queue, float *samples, gsize count, gsize *begun,
                     struct clip_info *info)
{
    gboolean begins;
    gsize done = 0, part;
    struct clip_info found;
    *begun = G_MAXSIZE;
    while ((part = clip_queue_read(queue, samples + done, count - done, &begins, &found)) > 0) {
        if (begins) {
            *begun = done;
            *info = found;
            REQUIRE(found.origin->seed == 7);
            clip_origin_unref(&found.origin);
        }
        done += part;
    }
    return done;
}

TEST(reads_every_sample_once_in_order)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 5, 2);
    REQUIRE(clip_queue_total(&queue) == 5 * LENGTH);
    float samples[300];
    struct clip_info info = {0};
    gsize begun, at = 0, begins = 0;
    for (;;) {
        fill(&queue);
        gsize got = read_on(&queue, samples, 300, &begun, &info);
        for (gsize i = 0; i < got; i++)
            REQUIRE(samples[i] == value((at + i) / LENGTH, (at + i) % LENGTH));
        if (begun < got) {
            REQUIRE((at + begun) % LENGTH == 0 && info.index == (at + begun) / LENGTH);
            begins++;
        }
        at += got;
        if (!got)
            break;
    }
    REQUIRE(at == 5 * LENGTH && begins == 5);
    REQUIRE(clip_queue_is_ready(&queue, 1)); // nothing is left to wait for
    clip_queue_clear(&queue);
}

// A long read says of every clip that it begins.
TEST(each_clip_that_begins_is_told)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 3, 3);
    fill(&queue);
    static float samples[3 * LENGTH];
    gboolean begins;
    struct clip_info info = {0};
    for (guint64 i = 0; i < 3; i++) {
        REQUIRE(clip_queue_read(&queue, samples, 3 * LENGTH, &begins, &info) == LENGTH && begins);
        REQUIRE(info.index == i);
        clip_origin_unref(&info.origin);
    }
    clip_queue_clear(&queue);
}

// Whoever waits for a full queue may read a little of it meanwhile.
TEST(full_is_full_though_a_little_is_read)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 0, 2);
    append(&queue);
    float samples[10];
    gsize begun;
    struct clip_info info = {0};
    read_on(&queue, samples, 10, &begun, &info);
    REQUIRE(clip_queue_percent(&queue) == 50);
    append(&queue);
    REQUIRE(clip_queue_percent(&queue) == 100 && clip_queue_has_work(&queue));
    clip_queue_clear(&queue);
}

// A clip whose silence was cut: of `index`, 100 samples and 10 more for each.
static void append_cut(struct clip_queue *queue)
{
    guint64 index = queue->next;
    struct clip_origin *origin = clip_origin_create(NULL, NULL, 7);
    struct clip *clip = clip_create(index, origin, (gsize)(100 + 10 * index), 50, 1);
    clip_origin_unref(&origin);
    for (gsize k = 0; k < 50; k++)
        clip->samples[k] = value(index, k);
    clip_queue_append(queue, clip);
}

// Clips whose silence was cut follow each other closely.
TEST(shorter_clips_follow_each_other)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, TRUE, 3, 3);
    for (gsize i = 0; i < 3; i++)
        append_cut(&queue);
    REQUIRE(clip_queue_total(&queue) == 100 + 110 + 120);
    static float samples[LENGTH];
    gsize begun;
    struct clip_info info = {0};
    REQUIRE(read_on(&queue, samples, LENGTH, &begun, &info) == 330 && begun == 210 && info.index == 2);
    REQUIRE(samples[49] == value(0, 49) && samples[50] == 0 && samples[100] == value(1, 0) &&
            samples[210] == value(2, 0));
    REQUIRE(clip_queue_is_ready(&queue, 1)); // the end
    clip_queue_clear(&queue);
}

// The clip that lies at `sample` is the one that would have been read there; `computed` clips are made for
// it.
static void require_clip_at(struct clip_queue *queue, guint64 sample, guint64 index, gsize offset,
                            guint computed)
{
    float read;
    gsize begun;
    struct clip_info info = {0};
    guint made = 0;
    clip_queue_seek(queue, sample);
    for (; !clip_queue_is_ready(queue, 1); made++)
        append_cut(queue);
    REQUIRE(read_on(queue, &read, 1, &begun, &info) == 1);
    REQUIRE(read == (offset < 50 ? value(index, offset) : 0)); // the rest is the gap
    REQUIRE(made == computed);
    REQUIRE(begun == G_MAXSIZE ? offset > 0 : offset == 0 && info.index == index);
}

// Clip 4 begins at 100 + 110 + 120 + 130, however one comes there.
TEST(a_seek_among_cut_clips_lands_on_the_sample)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, TRUE, 8, 1);
    require_clip_at(&queue, 460 + 7, 4, 7, 5); // all lengths up to there are new
    require_clip_at(&queue, 100, 1, 0, 1);     // known: the clip alone is made again
    require_clip_at(&queue, 459, 3, 129, 1);
    require_clip_at(&queue, 460, 4, 0, 1);
    REQUIRE(clip_queue_total(&queue) == 600 + 3 * LENGTH);
    clip_queue_seek(&queue, 100000); // past the end, which is only known when all are made
    for (int i = 5; i < 8; i++)
        append_cut(&queue);
    REQUIRE(clip_queue_total(&queue) == 600 + 150 + 160 + 170 && clip_queue_is_ready(&queue, 1));
    REQUIRE(!clip_queue_has_work(&queue) && g_queue_get_length(&queue.ready) == 0);
    require_clip_at(&queue, 599, 4, 139, 1);

    // another sound begins behind the clip that plays, and is laid out from there
    clip_queue_change_sound(&queue, LENGTH, TRUE);
    require_clip_at(&queue, 600 + 150 + 3, 6, 3, 2);
    clip_queue_clear(&queue);
}

TEST(keeps_lookahead_clips_ready)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 0, 3);
    REQUIRE(clip_queue_total(&queue) == G_MAXUINT64 && clip_queue_percent(&queue) == 0);
    append(&queue);
    REQUIRE(clip_queue_percent(&queue) == 33 && clip_queue_is_ready(&queue, LENGTH));
    REQUIRE(!clip_queue_is_ready(&queue, LENGTH + 1));
    fill(&queue);
    REQUIRE(queue.next == 3 && clip_queue_percent(&queue) == 100);
    clip_queue_clear(&queue);
}

// A reader that wants more than is kept gets it.
TEST(what_is_wanted_is_made)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 4, 1);
    queue.wanted = 3 * LENGTH - 5;
    fill(&queue);
    REQUIRE(queue.next == 3 && clip_queue_is_ready(&queue, queue.wanted));
    queue.wanted = 100 * LENGTH; // more than there is
    fill(&queue);
    REQUIRE(queue.next == 4 && clip_queue_is_ready(&queue, queue.wanted));
    clip_queue_clear(&queue);
}

TEST(a_seek_keeps_the_clips_ahead)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 0, 3);
    fill(&queue);
    REQUIRE(!clip_queue_seek(&queue, LENGTH + 5)); // clip 3 is next, as before
    REQUIRE(g_queue_get_length(&queue.ready) == 2);
    float sample;
    gsize begun;
    struct clip_info info = {0};
    REQUIRE(read_on(&queue, &sample, 1, &begun, &info) == 1);
    REQUIRE(sample == value(1, 5) && begun == G_MAXSIZE);
    REQUIRE(clip_queue_seek(&queue, 10 * LENGTH) && queue.next == 10);
    REQUIRE(clip_queue_seek(&queue, 0) && queue.next == 0 && g_queue_get_length(&queue.ready) == 0);
    clip_queue_clear(&queue);
}

TEST(another_sound_begins_after_the_clip_that_plays)
{
    struct clip_queue queue;
    clip_queue_init(&queue, LENGTH, FALSE, 0, 3);
    fill(&queue);
    float samples[LENGTH];
    gsize begun;
    struct clip_info info = {0};
    read_on(&queue, samples, 100, &begun, &info); // clip 0 plays
    clip_queue_change_sound(&queue, LENGTH / 2 + SOUND / 2, FALSE);
    REQUIRE(queue.next == 1 && g_queue_get_length(&queue.ready) == 1);
    append(&queue);
    REQUIRE(read_on(&queue, samples, LENGTH - 100, &begun, &info) == LENGTH - 100);
    REQUIRE(samples[0] == value(0, 100)); // not yet faded
    REQUIRE(fabsf(samples[SOUND - 101]) < value(0, SOUND - 1) / 2);
    read_on(&queue, samples, 1000, &begun, &info);
    REQUIRE(begun == 0 && info.index == 1 && samples[0] == 0);
    REQUIRE(samples[480] == value(1, 480) / 2 && samples[960] == value(1, 960)); // faded in
    // Before the change, the stream is as the new settings would have made it.
    REQUIRE(clip_queue_seek(&queue, 0) && queue.next == 0);
    append(&queue);
    read_on(&queue, samples, 1, &begun, &info);
    REQUIRE(info.index == 0 && info.length == LENGTH / 2 + SOUND / 2);
    clip_queue_clear(&queue);
}

TEST_MAIN
