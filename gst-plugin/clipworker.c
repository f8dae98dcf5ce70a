#include "clipworker.h"

#include <math.h>
#include <string.h>

#define FADE 960 // samples faded out and in where a change of settings cuts one sound and starts another

struct clip {
    struct clip_info info;
    guint64 start;     // its first sample's position
    gboolean fade_in;  // what was played before it is not what precedes it
    gboolean fade_out; // what will be played after it is not what follows it
    float *samples;
    gsize sound;       // so many samples; then zeros, up to its length
};

// Where clips lie: clip i >= index starts at start + (i - index) * length. Changed settings may change the length.
struct layout {
    guint64 index, start;
    guint64 clips; // 0: without end
    gsize length;
};

struct clip_worker {
    GstElement *element;             // borrowed
    struct diffuse_session *session; // borrowed
    struct clip_worker_hooks hooks;
    char *device;
    int threads;
    GThread *thread;
    gint cancel; // atomic: stop what is being computed

    // Of the thread alone.
    struct ebb_stream *stream; // without gaps
    struct clip_settings settings;

    GMutex mutex;
    GCond cond;
    // Under the mutex.
    struct layout layout;
    GQueue clips; // of struct clip: the one being read first, then those ahead
    guint64 position;
    guint64 next;      // index of the clip to be computed next
    gboolean computing; // clip `next` is under way
    gboolean fresh;    // the clip computed next does not continue what was played
    struct clip_settings wanted;
    gboolean changed; // `wanted` differs from `settings`
    guint lookahead;
    gboolean quit, failed, flushing;
    gboolean announced; // the application was told that we are behind
    int percent;        // and told this last
    struct clip_stats stats;
};

void clip_settings_copy(struct clip_settings *to, const struct clip_settings *from)
{
    clip_settings_clear(to);
    *to = *from;
    to->label = g_strdup(from->label);
    to->sampler = g_strdup(from->sampler);
}

void clip_settings_clear(struct clip_settings *settings)
{
    g_clear_pointer(&settings->label, g_free);
    g_clear_pointer(&settings->sampler, g_free);
}

static gboolean same_sound(const struct clip_settings *a, const struct clip_settings *b)
{
    return g_strcmp0(a->label, b->label) == 0 && g_strcmp0(a->sampler, b->sampler) == 0 && a->seed == b->seed &&
           a->steps == b->steps && a->guidance == b->guidance &&
           a->classifier_guidance == b->classifier_guidance && a->crossfade == b->crossfade && a->gap == b->gap;
}

static bool go_on(void *user, double fraction)
{
    struct clip_worker *worker = user;
    return !g_atomic_int_get(&worker->cancel);
}

// `length` receives the samples of a clip and its gap. An hour of silence is nothing to keep, so the stream is made without.
static struct ebb_stream *make_stream(struct clip_worker *worker, const struct clip_settings *settings, gsize *length,
                                      struct ebb_error *error)
{
    struct ebb_stream_params params;
    ebb_stream_params_default(&params);
    if (settings->label && *settings->label) {
        params.label = ebb_model_find_label(worker->session->model, settings->label, error);
        if (params.label < 0)
            return NULL;
    }
    if (!diffuse_check_sampler(settings->sampler, error))
        return NULL;

    params.seed = settings->seed;
    params.steps = settings->steps;
    params.sampler = settings->sampler && *settings->sampler ? settings->sampler : NULL;
    if (settings->guidance >= 0)
        params.guidance = settings->guidance;
    params.classifier_guidance = settings->classifier_guidance;
    if (settings->crossfade >= 0)
        params.crossfade = settings->crossfade;
    params.gap = settings->gap;
    gsize gap = ebb_stream_gap(worker->session->model, &params);
    params.gap = 0;
    params.clips = settings->clips;
    params.progress = go_on;
    params.user = worker;
    struct ebb_stream *stream = ebb_stream_create(worker->session->model, &params, error);
    *length = stream ? ebb_stream_clip_length(stream) + gap : 0;
    return stream;
}

struct clip_worker *clip_worker_create(struct diffuse_session *session, GstElement *element,
                                       const struct clip_settings *settings, guint lookahead,
                                       const struct clip_worker_hooks *hooks, struct ebb_error *error)
{
    struct clip_worker *worker = g_new0(struct clip_worker, 1);
    worker->element = element;
    worker->session = session;
    worker->hooks = *hooks;
    worker->lookahead = lookahead;
    g_mutex_init(&worker->mutex);
    g_cond_init(&worker->cond);
    g_queue_init(&worker->clips);
    clip_settings_copy(&worker->settings, settings);

    worker->stream = make_stream(worker, settings, &worker->layout.length, error);
    if (!worker->stream) {
        clip_worker_destroy(&worker);
        return NULL;
    }
    worker->layout.clips = settings->clips;
    return worker;
}

static void clip_free(struct clip *clip)
{
    if (clip)
        g_free(clip->samples);
    g_free(clip);
}

static void drop_clips_after(struct clip_worker *worker, guint keep)
{
    while (g_queue_get_length(&worker->clips) > keep)
        clip_free(g_queue_pop_tail(&worker->clips));
}

void clip_worker_destroy(struct clip_worker **reference)
{
    struct clip_worker *worker = *reference;
    if (!worker)
        return;

    g_mutex_lock(&worker->mutex);
    worker->quit = TRUE;
    g_atomic_int_set(&worker->cancel, 1);
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
    if (worker->thread)
        g_thread_join(worker->thread);

    drop_clips_after(worker, 0);
    ebb_stream_destroy(&worker->stream);
    clip_settings_clear(&worker->settings);
    clip_settings_clear(&worker->wanted);
    g_free(worker->device);
    g_mutex_clear(&worker->mutex);
    g_cond_clear(&worker->cond);
    g_free(worker);
    *reference = NULL;
}

static guint64 start_of(const struct layout *layout, guint64 index)
{
    return layout->start + (index - layout->index) * layout->length;
}

static guint64 total_of(const struct layout *layout)
{
    if (!layout->clips)
        return G_MAXUINT64;
    return layout->clips > layout->index ? start_of(layout, layout->clips) : layout->start;
}

// Whether clip `next` is to be computed now: less than `lookahead` clips of sound lie ahead of the reader.
static gboolean has_work(const struct clip_worker *worker)
{
    if (worker->layout.clips && worker->next >= worker->layout.clips)
        return FALSE;
    return start_of(&worker->layout, worker->next) < worker->position + worker->layout.length * (guint64)worker->lookahead;
}

static int percent_full(const struct clip_worker *worker)
{
    if (!has_work(worker))
        return 100;
    guint64 next = start_of(&worker->layout, worker->next);
    guint64 ahead = next > worker->position ? next - worker->position : 0; // after a seek it may hold the position
    return MIN(99, (int)(100 * ahead / (worker->layout.length * (guint64)worker->lookahead)));
}

// With the mutex held, which is given up while the library checks the settings.
static void apply_settings(struct clip_worker *worker)
{
    struct clip_settings settings = worker->wanted;
    memset(&worker->wanted, 0, sizeof(worker->wanted));
    worker->changed = FALSE;
    g_mutex_unlock(&worker->mutex);

    struct ebb_error error = {0};
    gsize length;
    struct ebb_stream *stream = make_stream(worker, &settings, &length, &error);
    if (!stream)
        diffuse_post_warning(worker->element, &error);

    g_mutex_lock(&worker->mutex);
    if (!stream) {
        clip_settings_clear(&settings);
        return;
    }

    if (!same_sound(&settings, &worker->settings)) {
        drop_clips_after(worker, 1);
        struct clip *playing = g_queue_peek_head(&worker->clips);
        worker->next = playing ? playing->info.index + 1 : worker->next;
        // A seek may have gone into the middle of a clip that is not there: the new one, perhaps shorter, begins at the reader.
        guint64 start = playing ? playing->start + playing->info.length
                                : MAX(start_of(&worker->layout, worker->next), worker->position);
        worker->layout = (struct layout){worker->next, start, settings.clips, length};
        worker->fresh = TRUE;
        if (playing)
            playing->fade_out = TRUE;
    }
    worker->layout.clips = settings.clips;
    clip_settings_clear(&worker->settings);
    worker->settings = settings;
    ebb_stream_destroy(&worker->stream);
    worker->stream = stream;
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
    worker->hooks.length(worker->hooks.user);
    g_mutex_lock(&worker->mutex);
}

// Computes clip `index`; NULL if that was cancelled (error.code EBB_CANCELLED) or failed. Without the mutex.
static struct clip *compute(struct clip_worker *worker, guint64 index, gsize length, struct ebb_error *error)
{
    struct clip *clip = g_new0(struct clip, 1);
    clip->info.index = index;
    clip->info.length = length;
    clip->info.seed = worker->settings.seed;
    clip->sound = ebb_stream_clip_length(worker->stream);
    clip->samples = g_try_new(float, clip->sound);
    gint64 begin = g_get_monotonic_time();
    enum ebb_result result = EBB_OUT_OF_MEMORY;
    if (clip->samples)
        result = ebb_stream_clip(worker->stream, index, clip->samples, clip->sound, error);
    else
        g_snprintf(error->message, sizeof(error->message), "no memory for a clip of %" G_GSIZE_FORMAT " samples", clip->sound);
    clip->info.compute = (GstClockTime)(g_get_monotonic_time() - begin) * GST_USECOND;
    if (result == EBB_OK)
        return clip;

    error->code = result;
    clip_free(clip);
    return NULL;
}

static gboolean holds(const struct clip *clip, guint64 sample)
{
    return sample >= clip->start && sample - clip->start < clip->info.length;
}

// With the mutex held: drops clips that end before the position, and all if the position lies before them.
static void drop_read(struct clip_worker *worker)
{
    struct clip *clip;
    while ((clip = g_queue_peek_head(&worker->clips)) && !holds(clip, worker->position))
        clip_free(g_queue_pop_head(&worker->clips));
}

// With the mutex held: the clip is what was wanted, unless the reader has gone elsewhere.
static void take(struct clip_worker *worker, struct clip *clip)
{
    clip->start = start_of(&worker->layout, clip->info.index);
    clip->fade_in = worker->fresh;
    worker->fresh = FALSE;
    worker->stats.clips++;
    worker->stats.compute += clip->info.compute;
    worker->stats.samples += clip->info.length;
    g_queue_push_tail(&worker->clips, clip);
    worker->next++;
    drop_read(worker);
    g_cond_broadcast(&worker->cond);
}

// One clip, with the mutex held but given up while computing. FALSE after a failure, which has been posted.
static gboolean make_clip(struct clip_worker *worker)
{
    guint64 index = worker->next;
    gsize length = worker->layout.length;
    struct ebb_error error = {0};
    g_atomic_int_set(&worker->cancel, 0);
    worker->computing = TRUE;
    g_mutex_unlock(&worker->mutex);
    struct clip *clip = compute(worker, index, length, &error);
    if (clip)
        diffuse_session_check_device(worker->session, worker->element);
    g_mutex_lock(&worker->mutex);

    gboolean wanted = worker->computing && !worker->quit && !worker->changed;
    worker->computing = FALSE;
    if (clip && wanted)
        take(worker, clip);
    else
        clip_free(clip);
    if (clip || error.code == EBB_CANCELLED)
        return TRUE;

    g_mutex_unlock(&worker->mutex);
    diffuse_post_error(worker->element, &error);
    g_mutex_lock(&worker->mutex);
    return FALSE;
}

// An application that saw 0 % waits for 100 %.
static void report_buffering(struct clip_worker *worker)
{
    if (!worker->announced)
        return;
    int percent = percent_full(worker);
    if (percent == worker->percent)
        return;
    worker->percent = percent;
    worker->announced = percent < 100;
    g_mutex_unlock(&worker->mutex);
    worker->hooks.buffering(worker->hooks.user, percent);
    g_mutex_lock(&worker->mutex);
}

static gpointer run(gpointer data)
{
    struct clip_worker *worker = data;
    gboolean good = diffuse_session_load(worker->session, worker->element, worker->device, worker->threads, &worker->cancel);

    g_mutex_lock(&worker->mutex);
    worker->stats.loaded = good;
    while (good && !worker->quit) {
        if (worker->changed)
            apply_settings(worker);
        else if (has_work(worker))
            good = make_clip(worker);
        else
            g_cond_wait(&worker->cond, &worker->mutex);
        report_buffering(worker);
    }
    worker->failed = !good;
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
    return NULL;
}

gboolean clip_worker_start(struct clip_worker *worker, const char *device, int threads)
{
    worker->device = g_strdup(device);
    worker->threads = threads;
    diffuse_session_announce(worker->session, worker->element, device, threads);
    worker->thread = g_thread_try_new("diffusesrc", run, worker, NULL);
    return worker->thread != NULL;
}

// With the mutex held: what is under way is no longer wanted.
static void abandon(struct clip_worker *worker)
{
    if (worker->computing)
        g_atomic_int_set(&worker->cancel, 1);
    worker->computing = FALSE;
}

void clip_worker_configure(struct clip_worker *worker, const struct clip_settings *settings)
{
    g_mutex_lock(&worker->mutex);
    clip_settings_copy(&worker->wanted, settings);
    worker->changed = TRUE;
    abandon(worker);
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
}

void clip_worker_set_lookahead(struct clip_worker *worker, guint lookahead)
{
    g_mutex_lock(&worker->mutex);
    worker->lookahead = lookahead;
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
}

void clip_worker_set_flushing(struct clip_worker *worker, gboolean flushing)
{
    g_mutex_lock(&worker->mutex);
    worker->flushing = flushing;
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
}

void clip_worker_seek(struct clip_worker *worker, guint64 sample)
{
    g_mutex_lock(&worker->mutex);
    // Before the last change of settings lies what these settings would have made.
    if (sample < worker->layout.start) {
        worker->layout.start = worker->layout.index = 0;
        drop_clips_after(worker, 0);
        worker->next = G_MAXUINT64; // whatever is under way is of no use
    }

    worker->position = sample;
    guint64 index = worker->layout.index + (sample - worker->layout.start) / worker->layout.length;
    drop_read(worker);
    struct clip *head = g_queue_peek_head(&worker->clips);
    if (head && (head->info.index != index || head->start != start_of(&worker->layout, index)))
        drop_clips_after(worker, 0);
    guint64 next = index + g_queue_get_length(&worker->clips);
    if (next != worker->next) {
        abandon(worker);
        worker->next = next;
        worker->fresh = FALSE;
    }
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
}

guint64 clip_worker_position(struct clip_worker *worker)
{
    g_mutex_lock(&worker->mutex);
    guint64 position = worker->position;
    g_mutex_unlock(&worker->mutex);
    return position;
}

guint64 clip_worker_total(struct clip_worker *worker)
{
    g_mutex_lock(&worker->mutex);
    guint64 total = total_of(&worker->layout);
    g_mutex_unlock(&worker->mutex);
    return total;
}

// With the mutex held.
static guint64 readable(struct clip_worker *worker)
{
    struct clip *last = g_queue_peek_tail(&worker->clips);
    return last ? last->start + last->info.length - worker->position : 0;
}

static gboolean is_ready(struct clip_worker *worker, gsize count)
{
    guint64 total = total_of(&worker->layout);
    guint64 left = total > worker->position ? total - worker->position : 0;
    return readable(worker) >= MIN(left, count);
}

gboolean clip_worker_is_ready(struct clip_worker *worker, gsize count)
{
    g_mutex_lock(&worker->mutex);
    gboolean ready = is_ready(worker, count);
    g_mutex_unlock(&worker->mutex);
    return ready;
}

enum clip_wait clip_worker_wait(struct clip_worker *worker, gsize count, gint64 deadline, gboolean announce)
{
    g_mutex_lock(&worker->mutex);
    gboolean late = FALSE;
    announce = announce && !worker->announced && !worker->flushing && !worker->failed && !is_ready(worker, count);
    if (announce) {
        g_mutex_unlock(&worker->mutex);
        worker->hooks.buffering(worker->hooks.user, 0);
        g_mutex_lock(&worker->mutex);
        worker->announced = TRUE; // only now: what the worker says comes after
        worker->percent = 0;
        g_cond_broadcast(&worker->cond); // it may have filled meanwhile: the worker says so
    }

    while (!worker->flushing && !worker->failed && !late && !is_ready(worker, count)) {
        if (deadline)
            late = !g_cond_wait_until(&worker->cond, &worker->mutex, deadline);
        else
            g_cond_wait(&worker->cond, &worker->mutex);
    }

    enum clip_wait result = worker->flushing            ? CLIP_FLUSHING
                            : is_ready(worker, count) ? CLIP_READY
                            : worker->failed            ? CLIP_FAILED
                                                        : CLIP_LATE;
    g_mutex_unlock(&worker->mutex);
    return result;
}

static float fade(gsize distance)
{
    return distance < FADE ? (float)distance / FADE : 1;
}

static void copy(float *to, const struct clip *clip, gsize from, gsize count)
{
    gsize at = MIN(from, clip->sound), sound = MIN(count, clip->sound - at);
    memcpy(to, clip->samples + at, sound * sizeof(*to));
    memset(to + sound, 0, (count - sound) * sizeof(*to));
    for (gsize i = 0; clip->fade_in && i < count && from + i < FADE; i++)
        to[i] *= fade(from + i);
    for (gsize i = 0; clip->fade_out && i < count; i++)
        to[i] *= fade(clip->info.length - 1 - (from + i));
}

gsize clip_worker_read(struct clip_worker *worker, float *samples, gsize count, gsize *begun, struct clip_info *info)
{
    gsize done = 0;
    *begun = G_MAXSIZE;
    g_mutex_lock(&worker->mutex);
    struct clip *clip;
    while (done < count && (clip = g_queue_peek_head(&worker->clips))) {
        gsize from = (gsize)(worker->position - clip->start), part = MIN(count - done, clip->info.length - from);
        if (from == 0) {
            *begun = done;
            *info = clip->info;
        }
        copy(samples + done, clip, from, part);
        done += part;
        worker->position += part;
        drop_read(worker);
    }
    g_cond_broadcast(&worker->cond);
    g_mutex_unlock(&worker->mutex);
    return done;
}

void clip_worker_stats(struct clip_worker *worker, struct clip_stats *stats)
{
    g_mutex_lock(&worker->mutex);
    *stats = worker->stats;
    stats->queued = g_queue_get_length(&worker->clips);
    g_mutex_unlock(&worker->mutex);
}
