// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clipworker.h"

#include "messages.h"
#include "tags.h"
#include "workthread.h"

#include <string.h>

struct clip_worker {
    struct work_thread thread;
    struct clip_worker_hooks hooks;

    // Of the thread alone.
    struct ebb_stream *stream;
    struct ebb_recipe *recipe;
    gboolean trim; // set before the thread

    // Under the mutex.
    struct clip_queue queue;
    struct clip_origin *origin; // of `recipe`; written by the thread
    gboolean computing;         // the queue's next clip is under way
    struct ebb_recipe *wanted;  // instead of `recipe`; NULL: nothing has changed
    gboolean announced;         // the application knows that the queue is empty, and waits for 100 %
    int percent;                // that it was told last
    struct clip_stats stats;
};

static guint64 clips_of(const struct ebb_recipe *recipe)
{
    return (guint64)ebb_recipe_number(recipe, "num-clips");
}

// Whether two recipes make the same clips, though perhaps not as many.
static gboolean same_sound(const struct ebb_recipe *a, const struct ebb_recipe *b)
{
    struct ebb_recipe *x = ebb_recipe_copy(a), *y = ebb_recipe_copy(b);
    if (x && y) {
        ebb_recipe_open(x, "num-clips");
        ebb_recipe_open(y, "num-clips");
    }
    gboolean same = x && y && ebb_recipe_same(x, y);
    ebb_recipe_destroy(&x);
    ebb_recipe_destroy(&y);
    return same;
}

static struct ebb_stream *make_stream(struct clip_worker *worker, const struct ebb_recipe *recipe,
                                      struct ebb_error *error)
{
    const struct ebb_hooks hooks = {sizeof(hooks), .progress = work_thread_goes_on, .user = &worker->thread};
    if (recipe)
        return ebb_stream_create(worker->thread.session->model, recipe, &hooks, error);
    *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    return NULL;
}

static struct clip_origin *make_origin(const struct clip_worker *worker)
{
    struct ebb_recipe *recipe = ebb_recipe_copy(worker->recipe);
    GstTagList *tags = diffuse_tags_create(worker->thread.session->model, recipe); // settles the recipe
    const char *label = recipe ? ebb_recipe_text(recipe, "label") : "";
    struct clip_origin *origin = clip_origin_create(tags, *label ? label : NULL,
                                                    ebb_recipe_seed(worker->recipe, "seed"));
    ebb_recipe_destroy(&recipe);
    return origin;
}

static gboolean is_loop(const struct clip_worker *worker)
{
    return ebb_recipe_number(worker->recipe, "loop") == 1;
}

// By the first label of a mixture.
static gboolean is_event(const struct clip_worker *worker)
{
    const char *label = worker->origin->label;
    char *first = label ? g_strndup(label, strcspn(label, ":,")) : NULL;
    const struct ebb_model *model = worker->thread.session->model;
    int index = first ? ebb_model_find_label(model, g_strstrip(first), NULL) : -1;
    g_free(first);
    return index >= 0 && ebb_model_label(model, index)->kind == EBB_LABEL_EVENT;
}

static gboolean cuts_clips(const struct clip_worker *worker)
{
    return worker->trim && is_event(worker) && !is_loop(worker);
}

struct clip_worker *clip_worker_create(struct diffuse_session *session, GstElement *element,
                                       const struct ebb_recipe *recipe, guint lookahead,
                                       const struct clip_worker_hooks *hooks, struct ebb_error *error)
{
    struct clip_worker *worker = g_new0(struct clip_worker, 1);
    work_thread_init(&worker->thread, session, element);
    worker->hooks = *hooks;
    worker->recipe = ebb_recipe_copy(recipe);
    worker->stream = make_stream(worker, worker->recipe, error);
    if (!worker->stream) {
        clip_worker_destroy(&worker);
        return NULL;
    }
    worker->origin = make_origin(worker);
    clip_queue_init(&worker->queue, ebb_stream_clip_length(worker->stream), FALSE, clips_of(recipe),
                    lookahead);
    return worker;
}

void clip_worker_destroy(struct clip_worker **reference)
{
    struct clip_worker *worker = *reference;
    if (!worker)
        return;

    work_thread_end(&worker->thread);
    clip_queue_clear(&worker->queue);
    clip_origin_unref(&worker->origin);
    ebb_stream_destroy(&worker->stream);
    ebb_recipe_destroy(&worker->recipe);
    ebb_recipe_destroy(&worker->wanted);
    work_thread_clear(&worker->thread);
    g_free(worker);
    *reference = NULL;
}

// With the mutex held, which is given up while the library checks the recipe.
static void apply_recipe(struct clip_worker *worker)
{
    struct ebb_recipe *recipe = worker->wanted;
    worker->wanted = NULL;
    g_mutex_unlock(&worker->thread.mutex);

    struct ebb_error error = {0};
    struct ebb_stream *stream = make_stream(worker, recipe, &error);
    if (!stream) {
        worker->hooks.refused(worker->hooks.user, recipe, worker->recipe);
        diffuse_post_warning(worker->thread.element, &error);
        ebb_recipe_destroy(&recipe);
        g_mutex_lock(&worker->thread.mutex);
        return;
    }
    gboolean same = same_sound(recipe, worker->recipe);
    ebb_recipe_destroy(&worker->recipe);
    worker->recipe = recipe;
    struct clip_origin *origin = make_origin(worker);

    g_mutex_lock(&worker->thread.mutex);
    if (ebb_stream_channels(stream) != ebb_stream_channels(worker->stream))
        clip_queue_begin_again(&worker->queue);
    clip_origin_unref(&worker->origin);
    worker->origin = origin;
    if (!same)
        clip_queue_change_sound(&worker->queue, ebb_stream_clip_length(stream), cuts_clips(worker));
    worker->queue.clips = clips_of(recipe);
    ebb_stream_destroy(&worker->stream);
    worker->stream = stream;
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
    worker->hooks.length(worker->hooks.user);
    g_mutex_lock(&worker->thread.mutex);
}

// Leaves the event itself; the gap that follows keeps its length.
static void trim_clip(struct clip_worker *worker, struct clip *clip)
{
    struct ebb_sound sound = {.samples = clip->samples,
                              .frames = clip->sound,
                              .channels = (int)clip->channels,
                              .rate = ebb_model_info(worker->thread.session->model)->sample_rate};
    ebb_sound_trim(&sound, EBB_TRIM_DB, EBB_TRIM_MARGIN);
    clip->info.length -= clip->sound - sound.frames;
    clip->sound = sound.frames;
}

// Computes clip `index`; NULL if that was cancelled (error.code EBB_CANCELLED) or failed. Without the mutex.
static struct clip *compute(struct clip_worker *worker, guint64 index, gsize length, struct ebb_error *error)
{
    gsize sound = length - ebb_stream_gap(worker->stream); // a gap of an hour needs no memory
    struct clip *clip = clip_create(index, worker->origin, length, sound,
                                    (guint)ebb_stream_channels(worker->stream));
    gint64 begin = g_get_monotonic_time();
    enum ebb_result result = EBB_OUT_OF_MEMORY;
    if (clip->samples)
        result = ebb_stream_clip(worker->stream, index, clip->samples, clip->sound, error);
    else
        g_snprintf(error->message, sizeof(error->message),
                   "no memory for a clip of %" G_GSIZE_FORMAT " samples", clip->sound);
    clip->info.compute = (GstClockTime)(g_get_monotonic_time() - begin) * GST_USECOND;
    if (result == EBB_OK && cuts_clips(worker))
        trim_clip(worker, clip);
    if (result == EBB_OK)
        return clip;

    error->code = result;
    clip_destroy(&clip);
    return NULL;
}

// With the mutex held.
static void take(struct clip_worker *worker, struct clip *clip)
{
    worker->stats.clips++;
    worker->stats.compute += clip->info.compute;
    worker->stats.samples += clip->info.length;
    clip_queue_append(&worker->queue, clip);
    g_cond_broadcast(&worker->thread.cond);
}

// One clip, with the mutex held but given up while computing. FALSE after a failure, which has been posted.
static gboolean make_clip(struct clip_worker *worker)
{
    guint64 index = worker->queue.next;
    gsize length = worker->queue.length;
    struct ebb_error error = {0};
    g_atomic_int_set(&worker->thread.cancel, 0);
    worker->computing = TRUE;
    g_mutex_unlock(&worker->thread.mutex);
    struct clip *clip = compute(worker, index, length, &error);
    if (clip)
        diffuse_session_check_device(worker->thread.session, worker->thread.element);
    g_mutex_lock(&worker->thread.mutex);

    gboolean wanted = worker->computing && !worker->thread.quit && !worker->wanted, made = clip != NULL;
    worker->computing = FALSE;
    gboolean shorter = made && wanted && clip->info.length != worker->queue.length;
    if (made && wanted)
        take(worker, clip);
    else
        clip_destroy(&clip);
    if (shorter && worker->queue.clips) {
        g_mutex_unlock(&worker->thread.mutex);
        worker->hooks.length(worker->hooks.user);
        g_mutex_lock(&worker->thread.mutex);
    }
    if (made || error.code == EBB_CANCELLED)
        return TRUE;

    g_mutex_unlock(&worker->thread.mutex);
    diffuse_post_error(worker->thread.element, &error);
    g_mutex_lock(&worker->thread.mutex);
    return FALSE;
}

// An application that saw 0 % waits for 100 %.
static void report_buffering(struct clip_worker *worker)
{
    if (!worker->announced)
        return;
    int percent = clip_queue_percent(&worker->queue);
    if (percent == worker->percent)
        return;
    worker->percent = percent;
    worker->announced = percent < 100;
    g_mutex_unlock(&worker->thread.mutex);
    worker->hooks.buffering(worker->hooks.user, percent);
    g_mutex_lock(&worker->thread.mutex);
}

static gboolean work(gpointer data)
{
    struct clip_worker *worker = data;
    gboolean good = TRUE;
    if (worker->wanted)
        apply_recipe(worker);
    else if (clip_queue_has_work(&worker->queue))
        good = make_clip(worker);
    else
        g_cond_wait(&worker->thread.cond, &worker->thread.mutex);
    report_buffering(worker);
    return good;
}

gboolean clip_worker_start(struct clip_worker *worker, const char *device, int threads)
{
    return work_thread_start(&worker->thread, "diffusesrc", device, threads, work);
}

// With the mutex held: the clip that is under way is no longer wanted.
static void abandon(struct clip_worker *worker)
{
    if (worker->computing)
        g_atomic_int_set(&worker->thread.cancel, 1);
    worker->computing = FALSE;
}

void clip_worker_configure(struct clip_worker *worker, const struct ebb_recipe *recipe)
{
    g_mutex_lock(&worker->thread.mutex);
    ebb_recipe_destroy(&worker->wanted);
    worker->wanted = ebb_recipe_copy(recipe);
    abandon(worker);
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

void clip_worker_set_trim(struct clip_worker *worker, gboolean trim)
{
    worker->trim = trim;
    worker->queue.cut = cuts_clips(worker);
}

struct clip_origin *clip_worker_origin(struct clip_worker *worker)
{
    g_mutex_lock(&worker->thread.mutex);
    struct clip_origin *origin = clip_origin_ref(worker->origin);
    g_mutex_unlock(&worker->thread.mutex);
    return origin;
}

void clip_worker_set_lookahead(struct clip_worker *worker, guint lookahead)
{
    g_mutex_lock(&worker->thread.mutex);
    worker->queue.lookahead = lookahead;
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

void clip_worker_set_flushing(struct clip_worker *worker, gboolean flushing)
{
    work_thread_set_flushing(&worker->thread, flushing);
}

void clip_worker_seek(struct clip_worker *worker, guint64 sample)
{
    g_mutex_lock(&worker->thread.mutex);
    if (clip_queue_seek(&worker->queue, sample))
        abandon(worker);
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

guint64 clip_worker_total(struct clip_worker *worker)
{
    g_mutex_lock(&worker->thread.mutex);
    guint64 total = clip_queue_total(&worker->queue);
    g_mutex_unlock(&worker->thread.mutex);
    return total;
}

gboolean clip_worker_is_ready(struct clip_worker *worker, gsize count)
{
    g_mutex_lock(&worker->thread.mutex);
    gboolean ready = clip_queue_is_ready(&worker->queue, count);
    g_mutex_unlock(&worker->thread.mutex);
    return ready;
}

enum clip_wait clip_worker_wait(struct clip_worker *worker, gsize count, gint64 deadline, gboolean announce)
{
    g_mutex_lock(&worker->thread.mutex);
    gboolean late = FALSE;
    worker->queue.wanted = count;
    g_cond_broadcast(&worker->thread.cond);
    announce = announce && !worker->announced && !worker->thread.flushing && !worker->thread.failed &&
               !clip_queue_is_ready(&worker->queue, count);
    if (announce) {
        g_mutex_unlock(&worker->thread.mutex);
        worker->hooks.buffering(worker->hooks.user, 0);
        g_mutex_lock(&worker->thread.mutex);
        worker->announced = TRUE; // only now: the worker's own messages come after this one
        worker->percent = 0;
        g_cond_broadcast(&worker->thread.cond); // the queue may have filled meanwhile, which the worker has
                                                // to report
    }

    while (!worker->thread.flushing && !worker->thread.failed && !late &&
           !clip_queue_is_ready(&worker->queue, count)) {
        if (deadline)
            late = !g_cond_wait_until(&worker->thread.cond, &worker->thread.mutex, deadline);
        else
            g_cond_wait(&worker->thread.cond, &worker->thread.mutex);
    }

    gboolean ready = clip_queue_is_ready(&worker->queue, count);
    enum clip_wait result = ready ? CLIP_READY : worker->thread.failed ? CLIP_FAILED : CLIP_LATE;
    if (worker->thread.flushing)
        result = CLIP_FLUSHING;
    g_mutex_unlock(&worker->thread.mutex);
    return result;
}

void clip_worker_set_channels(struct clip_worker *worker, guint channels)
{
    g_mutex_lock(&worker->thread.mutex);
    worker->queue.channels = channels;
    g_mutex_unlock(&worker->thread.mutex);
}

gsize clip_worker_read(struct clip_worker *worker, float *samples, gsize count, gboolean *begins,
                       struct clip_info *info)
{
    g_mutex_lock(&worker->thread.mutex);
    gsize done = clip_queue_read(&worker->queue, samples, count, begins, info);
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
    return done;
}

void clip_worker_stats(struct clip_worker *worker, struct clip_stats *stats)
{
    g_mutex_lock(&worker->thread.mutex);
    *stats = worker->stats;
    stats->loaded = worker->thread.loaded;
    stats->queued = g_queue_get_length(&worker->queue.ready);
    stats->buffering = worker->announced;
    stats->percent = clip_queue_percent(&worker->queue);
    g_mutex_unlock(&worker->thread.mutex);
}
