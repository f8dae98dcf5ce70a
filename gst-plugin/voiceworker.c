// SPDX-License-Identifier: LGPL-2.1-or-later
#include "voiceworker.h"

#include <string.h>

#include "messages.h"
#include "tags.h"
#include "workthread.h"

#define FADE_OUT 0.02 // seconds at the end of an event, which the window may have cut

// Sounds of a label that wait for somebody to play them.
struct shelf {
    int label;
    guint wanted;   // so many
    guint64 number; // of the next one, which its seed follows from
    GQueue ready;   // of struct voice
};

// A texture longer than a window, clip by clip. Of the thread alone.
struct texture {
    struct voice *voice;
    struct ebb_stream *stream;
};

struct voice_worker {
    struct work_thread thread;
    voice_worker_refused refused;
    void *user;

    // Of the thread alone.
    struct ebb_recipe *recipe;
    GQueue textures; // of struct texture

    // Under the mutex.
    GQueue voices; // of struct voice
    struct shelf shelves[SHELVES_MOST];
    gsize shelf_count;
    guint64 seed;              // of the recipe
    double width;              // of new voices, where the output has two channels; 0: they have one
    guint channels;            // of the output, 1 or 2
    guint64 until;             // everything in front of it is wanted now
    guint lookahead;           // parts to keep ready
    struct ebb_recipe *wanted; // instead of `recipe`; NULL: nothing has changed
    struct voice_stats stats;
};

// ---- starting and stopping ----

static const struct ebb_model *model_of(const struct voice_worker *worker)
{
    return worker->thread.session->model;
}

// "footstep:4" -> the label, and how many.
static gboolean parse_shelf(const struct ebb_model *model, const char *text, struct shelf *shelf,
                            struct ebb_error *error)
{
    char **parts = g_strsplit(text, ":", 2);
    guint64 wanted = 2;
    gboolean good = !parts[0] || !parts[1] ||
                    g_ascii_string_to_unsigned(g_strstrip(parts[1]), 10, 1, SHELF_MOST, &wanted, NULL);
    if (!good) {
        error->code = EBB_INVALID;
        g_snprintf(error->message, sizeof(error->message),
                   "prepare: \"%.100s\", expected a label and a number, 1 to %d, as in footstep:4", text,
                   SHELF_MOST);
    }
    shelf->label = good ? ebb_model_find_label(model, parts[0] ? g_strstrip(parts[0]) : "", error) : -1;
    shelf->wanted = (guint)wanted;
    g_queue_init(&shelf->ready);
    g_strfreev(parts);
    return shelf->label >= 0;
}

static gboolean parse_shelves(struct voice_worker *worker, const char *text, struct ebb_error *error)
{
    char **items = g_strsplit(text ? text : "", ",", SHELVES_MOST + 1);
    gboolean good = g_strv_length(items) <= SHELVES_MOST;
    if (!good) {
        error->code = EBB_INVALID;
        g_snprintf(error->message, sizeof(error->message), "prepare: expected at most %d labels",
                   SHELVES_MOST);
    }
    for (gsize i = 0; good && items[i]; i++) {
        good = parse_shelf(model_of(worker), items[i], &worker->shelves[i], error);
        worker->shelf_count = i + 1;
    }
    g_strfreev(items);
    return good;
}

struct voice_worker *voice_worker_create(struct diffuse_session *session, GstElement *element,
                                         const struct ebb_recipe *recipe, const char *prepare,
                                         struct ebb_error *error)
{
    struct voice_worker *worker = g_new0(struct voice_worker, 1);
    work_thread_init(&worker->thread, session, element);
    worker->lookahead = 8;
    worker->channels = 1;
    g_queue_init(&worker->voices);
    g_queue_init(&worker->textures);
    worker->seed = ebb_recipe_seed(recipe, "seed");
    worker->recipe = ebb_recipe_copy(recipe);
    if (!worker->recipe)
        *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    if (!worker->recipe || !ebb_generate_length(session->model, worker->recipe, error) ||
        !parse_shelves(worker, prepare, error))
        voice_worker_destroy(&worker);
    return worker;
}

void voice_worker_on_refused(struct voice_worker *worker, voice_worker_refused refused, void *user)
{
    worker->refused = refused;
    worker->user = user;
}

static void end_texture(struct texture *texture)
{
    ebb_stream_destroy(&texture->stream);
    voice_unref(&texture->voice);
    g_free(texture);
}

static void clear_queue(GQueue *voices)
{
    struct voice *voice;
    while ((voice = g_queue_pop_head(voices))) {
        voice->cancelled = TRUE;
        voice_unref(&voice);
    }
}

static void free_worker(struct voice_worker *worker)
{
    while (!g_queue_is_empty(&worker->textures))
        end_texture(g_queue_pop_head(&worker->textures));
    clear_queue(&worker->voices);
    for (gsize i = 0; i < worker->shelf_count; i++)
        clear_queue(&worker->shelves[i].ready);
    ebb_recipe_destroy(&worker->recipe);
    ebb_recipe_destroy(&worker->wanted);
    work_thread_clear(&worker->thread);
    g_free(worker);
}

void voice_worker_destroy(struct voice_worker **reference)
{
    struct voice_worker *worker = *reference;
    if (!worker)
        return;
    work_thread_end(&worker->thread);
    free_worker(worker);
    *reference = NULL;
}

// ---- making sounds, without the mutex ----

// How a voice is made: of which verb, and how wide. Width 0: in one channel.
struct making {
    const struct voice_order *order;
    enum ebb_verb verb;
    double width;
};

// A single sound has two channels; a stream has them where it has a width.
static enum ebb_result set_width(struct ebb_recipe *recipe, double width)
{
    enum ebb_result result = EBB_OK;
    if (width > 0 && ebb_recipe_verb(recipe) == EBB_VERB_GENERATE)
        result = ebb_recipe_set_number(recipe, "channels", 2, NULL);
    return result == EBB_OK && width > 0 ? ebb_recipe_set_number(recipe, "width", width, NULL) : result;
}

static struct ebb_recipe *recipe_of(const struct voice_worker *worker, const struct making *making)
{
    const struct voice_order *order = making->order;
    struct ebb_recipe *recipe = ebb_recipe_create(making->verb);
    const struct ebb_label *label = ebb_model_label(model_of(worker), order->label);
    gboolean good = recipe && ebb_recipe_merge(recipe, worker->recipe, NULL) == EBB_OK;
    good = good && ebb_recipe_set_seed(recipe, "seed", order->seed, NULL) == EBB_OK;
    good = good && (!label || ebb_recipe_set(recipe, "label", label->name, NULL) == EBB_OK);
    good = good && (!order->prompt || ebb_recipe_set(recipe, "prompt", order->prompt, NULL) == EBB_OK);
    good = good && set_width(recipe, making->width) == EBB_OK;
    if (!good)
        ebb_recipe_destroy(&recipe);
    return recipe;
}

// The settled recipe as a line of JSON, with what was done to an event after it was made; NULL: no memory.
static char *tell(const struct voice_worker *worker, const struct ebb_recipe *recipe, gboolean event)
{
    struct ebb_recipe *settled = ebb_recipe_copy(recipe);
    gboolean good = settled && ebb_model_settle(model_of(worker), settled, NULL) == EBB_OK;
    if (good && event)
        good = ebb_recipe_set_number(settled, "trim", 1, NULL) == EBB_OK &&
               ebb_recipe_set_number(settled, "lead", EBB_EVENT_LEAD, NULL) == EBB_OK;
    char *text = good ? diffuse_recipe_text(settled) : NULL;
    ebb_recipe_destroy(&settled);
    return text;
}

// Samples, and how many of each channel; NULL with `error` filled.
struct made {
    float *samples;
    gsize count;
    guint channels;
    char *recipe; // of a sound that is begun; NULL: it is known already
};

static float *reserve(const struct made *made, struct ebb_error *error)
{
    float *samples = g_try_new(float, made->count * made->channels);
    if (!samples)
        *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a sound"};
    return samples;
}

static void trim_and_fade(const struct voice_worker *worker, struct made *made)
{
    struct ebb_sound sound = {.samples = made->samples,
                              .frames = made->count,
                              .channels = (int)made->channels,
                              .rate = ebb_model_info(model_of(worker))->sample_rate};
    ebb_sound_trim(&sound, EBB_TRIM_DB, EBB_TRIM_MARGIN);
    ebb_sound_lead(&sound, EBB_EVENT_LEAD); // an event begins at its cue
    ebb_sound_fade(&sound, 0, FADE_OUT);
    made->count = sound.frames;
}

// One window of the model.
static struct made make_window(struct voice_worker *worker, const struct making *making,
                               struct ebb_error *error)
{
    const struct ebb_hooks hooks = {sizeof(hooks), .progress = work_thread_goes_on, .user = &worker->thread};
    struct ebb_recipe *recipe = recipe_of(worker, making);
    struct made made = {.channels = making->width > 0 ? 2 : 1};
    *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    made.count = recipe ? ebb_generate_length(model_of(worker), recipe, error) : 0;
    made.samples = made.count ? reserve(&made, error) : NULL;
    if (made.samples && ebb_generate(worker->thread.session->model, recipe, made.samples, made.count, &hooks,
                                     error) != EBB_OK)
        g_clear_pointer(&made.samples, g_free);
    if (made.samples && !making->order->texture)
        trim_and_fade(worker, &made);
    if (made.samples)
        made.recipe = tell(worker, recipe, !making->order->texture);
    ebb_recipe_destroy(&recipe);
    return made;
}

static struct texture *find_texture(struct voice_worker *worker, const struct voice *voice)
{
    for (GList *item = worker->textures.head; item; item = item->next)
        if (((struct texture *)item->data)->voice == voice)
            return item->data;
    return NULL;
}

// The stream of a long texture, opened at its first clip. NULL with `error` filled.
static struct ebb_stream *open_stream(struct voice_worker *worker, struct voice *voice,
                                      const struct making *making, char **told, struct ebb_error *error)
{
    const struct ebb_hooks hooks = {sizeof(hooks), .progress = work_thread_goes_on, .user = &worker->thread};
    struct ebb_recipe *recipe = recipe_of(worker, making);
    *error = (struct ebb_error){EBB_OUT_OF_MEMORY, "no memory for a recipe"};
    struct ebb_stream *stream = recipe
                                    ? ebb_stream_create(worker->thread.session->model, recipe, &hooks, error)
                                    : NULL;
    if (stream) {
        struct texture *texture = g_new0(struct texture, 1);
        *texture = (struct texture){voice_ref(voice), stream};
        g_queue_push_tail(&worker->textures, texture);
        *told = tell(worker, recipe, FALSE);
    }
    ebb_recipe_destroy(&recipe);
    return stream;
}

// The clip of a long texture that comes next. What is skipped is not computed.
static struct made make_clip(struct voice_worker *worker, struct voice *voice, const struct making *making,
                             guint64 *first, struct ebb_error *error)
{
    struct made made = {0};
    struct texture *texture = find_texture(worker, voice);
    struct ebb_stream *stream = texture ? texture->stream
                                        : open_stream(worker, voice, making, &made.recipe, error);
    if (!stream)
        return made;
    made.channels = (guint)ebb_stream_channels(stream);
    made.count = ebb_stream_clip_length(stream);
    guint64 index = MAX(*first, voice->order.skip) / made.count;
    *first = index * made.count;
    made.samples = reserve(&made, error);
    if (made.samples && ebb_stream_clip(stream, index, made.samples, made.count, error) != EBB_OK)
        g_clear_pointer(&made.samples, g_free);
    return made;
}

// ---- the thread ----

// With the mutex held.
static void end_textures(struct voice_worker *worker)
{
    for (GList *item = worker->textures.head, *next; item; item = next) {
        struct texture *texture = item->data;
        next = item->next;
        if (!texture->voice->cancelled && !texture->voice->complete)
            continue;
        g_queue_delete_link(&worker->textures, item);
        end_texture(texture);
    }
}

static guint parts_ready(const struct voice_worker *worker)
{
    guint parts = 0;
    for (GList *item = worker->voices.head; item; item = item->next)
        parts += g_queue_get_length(&((struct voice *)item->data)->parts);
    return parts;
}

// The voice that runs out of samples first, if it is to have more now.
static struct voice *next_voice(const struct voice_worker *worker)
{
    struct voice *first = NULL;
    for (GList *item = worker->voices.head; item; item = item->next) {
        struct voice *voice = item->data;
        guint64 ready = voice_ready(voice);
        if (ready != VOICE_OPEN && (!first || ready < voice_ready(first)))
            first = voice;
    }
    if (first && voice_ready(first) >= worker->until && parts_ready(worker) >= worker->lookahead)
        return NULL;
    return first;
}

static struct shelf *next_shelf(struct voice_worker *worker)
{
    for (gsize i = 0; i < worker->shelf_count; i++)
        if (g_queue_get_length(&worker->shelves[i].ready) < worker->shelves[i].wanted)
            return &worker->shelves[i];
    return NULL;
}

static gboolean is_texture(const struct voice_worker *worker, int label)
{
    const struct ebb_label *found = ebb_model_label(model_of(worker), label);
    return found && found->kind == EBB_LABEL_TEXTURE;
}

static struct voice *new_on_shelf(struct voice_worker *worker, struct shelf *shelf)
{
    struct voice_order order = {.label = shelf->label,
                                .gain = 1,
                                .texture = is_texture(worker, shelf->label),
                                .stop = VOICE_OPEN,
                                .played = TRUE};
    order.seed = voice_worker_seed(worker->seed, (guint64)shelf->label + 1, shelf->number);
    return voice_create(&order);
}

// With the mutex held, which is given up while computing. FALSE after a failure, which has been posted.
static gboolean make_part(struct voice_worker *worker, struct voice *voice)
{
    struct ebb_error error = {0};
    guint64 first = voice->made;
    gboolean whole = !voice->order.clips;
    struct making making = {&voice->order, whole ? EBB_VERB_GENERATE : EBB_VERB_STREAM,
                            worker->channels == 2 ? worker->width : 0};
    g_atomic_int_set(&worker->thread.cancel, 0);
    g_mutex_unlock(&worker->thread.mutex);
    gint64 begin = g_get_monotonic_time();
    struct made made = whole ? make_window(worker, &making, &error)
                             : make_clip(worker, voice, &making, &first, &error);
    gint64 took = g_get_monotonic_time() - begin;
    if (made.samples)
        diffuse_session_check_device(worker->thread.session, worker->thread.element);
    else if (error.code != EBB_CANCELLED)
        diffuse_post_error(worker->thread.element, &error);
    g_mutex_lock(&worker->thread.mutex);
    if (made.recipe) {
        g_free(voice->recipe);
        voice->recipe = made.recipe;
    }
    if (!made.samples)
        return error.code == EBB_CANCELLED;

    voice->channels = made.channels;
    if (first > voice->made) // clips in front of it are skipped
        voice->base = voice->made = first;
    voice_append(voice, made.samples, made.count);
    voice->complete = whole || voice_ready(voice) == VOICE_OPEN;
    voice->compute += took;
    worker->stats.sounds += voice->complete;
    worker->stats.compute += (GstClockTime)took * GST_USECOND;
    worker->stats.samples += made.count;
    g_cond_broadcast(&worker->thread.cond);
    return TRUE;
}

static gboolean fill_shelf(struct voice_worker *worker, struct shelf *shelf)
{
    struct voice *voice = new_on_shelf(worker, shelf);
    gboolean good = make_part(worker, voice);
    if (!voice->complete) {
        voice_unref(&voice);
        return good;
    }
    shelf->number++;
    g_queue_push_tail(&shelf->ready, voice);
    return good;
}

// What is on the shelf was made with the settings before.
static void take_recipe(struct voice_worker *worker, struct ebb_recipe *recipe)
{
    ebb_recipe_destroy(&worker->recipe);
    worker->recipe = recipe;
    g_mutex_lock(&worker->thread.mutex);
    worker->seed = ebb_recipe_seed(recipe, "seed");
    for (gsize i = 0; i < worker->shelf_count; i++)
        clear_queue(&worker->shelves[i].ready);
    g_mutex_unlock(&worker->thread.mutex);
}

// With the mutex held, which is given up while the library checks the recipe.
static void apply_recipe(struct voice_worker *worker)
{
    struct ebb_recipe *recipe = worker->wanted;
    struct ebb_error error = {0};
    worker->wanted = NULL;
    g_mutex_unlock(&worker->thread.mutex);
    if (ebb_generate_length(model_of(worker), recipe, &error)) {
        take_recipe(worker, recipe);
    } else {
        if (worker->refused)
            worker->refused(worker->user, recipe, worker->recipe);
        diffuse_post_warning(worker->thread.element, &error);
        ebb_recipe_destroy(&recipe);
    }
    g_mutex_lock(&worker->thread.mutex);
}

// One thing that is to be done, with the mutex held. FALSE after a failure.
static gboolean work(gpointer data)
{
    struct voice_worker *worker = data;
    if (worker->wanted) {
        apply_recipe(worker);
        return TRUE;
    }
    end_textures(worker);
    struct voice *voice = next_voice(worker);
    struct shelf *shelf = voice ? NULL : next_shelf(worker);
    if (!voice && !shelf) {
        g_cond_wait(&worker->thread.cond, &worker->thread.mutex);
        return TRUE;
    }
    if (shelf)
        return fill_shelf(worker, shelf);
    voice_ref(voice);
    gboolean good = make_part(worker, voice);
    voice_unref(&voice);
    return good;
}

gboolean voice_worker_start(struct voice_worker *worker, const char *device, int threads)
{
    return work_thread_start(&worker->thread, "diffusefx", device, threads, work);
}

// ---- from other threads ----

void voice_worker_configure(struct voice_worker *worker, const struct ebb_recipe *recipe)
{
    g_mutex_lock(&worker->thread.mutex);
    ebb_recipe_destroy(&worker->wanted);
    worker->wanted = ebb_recipe_copy(recipe);
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

void voice_worker_set_lookahead(struct voice_worker *worker, guint parts)
{
    g_mutex_lock(&worker->thread.mutex);
    worker->lookahead = parts;
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

void voice_worker_set_stereo(struct voice_worker *worker, guint channels, double width)
{
    g_mutex_lock(&worker->thread.mutex);
    gboolean was_wide = worker->channels == 2 && worker->width > 0, wide = channels == 2 && width > 0;
    gboolean changes = was_wide != wide || (wide && worker->width != width);
    worker->channels = channels;
    worker->width = width;
    for (gsize i = 0; changes && i < worker->shelf_count; i++)
        clear_queue(&worker->shelves[i].ready);
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

void voice_worker_set_flushing(struct voice_worker *worker, gboolean flushing)
{
    work_thread_set_flushing(&worker->thread, flushing);
}

void voice_worker_clear(struct voice_worker *worker)
{
    g_mutex_lock(&worker->thread.mutex);
    clear_queue(&worker->voices);
    worker->until = 0;
    if (worker->thread.loaded) // while the model is loaded, the flag would stop that
        g_atomic_int_set(&worker->thread.cancel, 1);
    g_cond_broadcast(&worker->thread.cond); // who waits for a voice that is gone waits no longer
    g_mutex_unlock(&worker->thread.mutex);
}

guint64 voice_worker_seed(guint64 seed, guint64 a, guint64 b)
{
    guint64 parts[] = {a, b};
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) { // splitmix64 (Steele, Lea, Flood 2014)
        seed = (seed ^ parts[i]) + G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
        seed = (seed ^ (seed >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
        seed = (seed ^ (seed >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
        seed ^= seed >> 31;
    }
    return seed >> 32; // a number that people can write down
}

static gboolean is_long(const struct voice_worker *worker, const struct voice_order *order)
{
    guint64 window = (guint64)ebb_model_info(model_of(worker))->window_samples;
    return order->texture && order->stop - order->start + order->skip > window;
}

static struct shelf *shelf_for(struct voice_worker *worker, const struct voice_order *order)
{
    for (gsize i = 0; i < worker->shelf_count; i++)
        if (worker->shelves[i].label == order->label && !order->clips && !order->prompt)
            return &worker->shelves[i];
    return NULL;
}

// A sound of the shelf in the place of one that is to be made; NULL: there is none.
static struct voice *take_from_shelf(struct voice_worker *worker, const struct voice_order *order)
{
    struct shelf *shelf = shelf_for(worker, order);
    struct voice *voice = shelf ? g_queue_pop_head(&shelf->ready) : NULL;
    if (!voice)
        return NULL;
    guint64 seed = voice->order.seed;
    voice->order = *order;
    voice->order.seed = seed;
    return voice;
}

gboolean voice_worker_add(struct voice_worker *worker, const struct voice_order *wanted, gboolean own_seed)
{
    struct voice_order order = *wanted;
    order.clips = is_long(worker, wanted);
    g_mutex_lock(&worker->thread.mutex);
    gboolean room = g_queue_get_length(&worker->voices) < VOICES_MOST;
    struct voice *voice = room && order.played && !own_seed ? take_from_shelf(worker, &order) : NULL;
    if (room)
        g_queue_push_tail(&worker->voices, voice ? voice : voice_create(&order));
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
    return room;
}

guint voice_worker_count(struct voice_worker *worker)
{
    g_mutex_lock(&worker->thread.mutex);
    guint count = g_queue_get_length(&worker->voices);
    g_mutex_unlock(&worker->thread.mutex);
    return count;
}

static gboolean is_ready(const struct voice_worker *worker, guint64 until)
{
    for (GList *item = worker->voices.head; item; item = item->next)
        if (voice_ready(item->data) < until)
            return FALSE;
    return TRUE;
}

gboolean voice_worker_is_ready(struct voice_worker *worker, guint64 until)
{
    g_mutex_lock(&worker->thread.mutex);
    gboolean ready = is_ready(worker, until);
    g_mutex_unlock(&worker->thread.mutex);
    return ready;
}

static gboolean has_end(const struct voice_worker *worker)
{
    for (GList *item = worker->voices.head; item; item = item->next)
        if (voice_end(item->data) == VOICE_OPEN)
            return FALSE;
    return TRUE;
}

enum voice_wait voice_worker_wait_end(struct voice_worker *worker)
{
    g_mutex_lock(&worker->thread.mutex);
    worker->until = VOICE_OPEN;
    g_cond_broadcast(&worker->thread.cond);
    while (!worker->thread.flushing && !worker->thread.failed && !has_end(worker))
        g_cond_wait(&worker->thread.cond, &worker->thread.mutex);
    enum voice_wait result = has_end(worker) ? VOICE_READY : VOICE_FAILED;
    if (worker->thread.flushing)
        result = VOICE_FLUSHING;
    g_mutex_unlock(&worker->thread.mutex);
    return result;
}

enum voice_wait voice_worker_wait(struct voice_worker *worker, guint64 until)
{
    g_mutex_lock(&worker->thread.mutex);
    worker->until = until;
    g_cond_broadcast(&worker->thread.cond);
    while (!worker->thread.flushing && !worker->thread.failed && !is_ready(worker, until))
        g_cond_wait(&worker->thread.cond, &worker->thread.mutex);
    enum voice_wait result = is_ready(worker, until) ? VOICE_READY : VOICE_FAILED;
    if (worker->thread.flushing)
        result = VOICE_FLUSHING;
    g_mutex_unlock(&worker->thread.mutex);
    return result;
}

guint64 voice_worker_end(struct voice_worker *worker)
{
    guint64 end = 0;
    g_mutex_lock(&worker->thread.mutex);
    for (GList *item = worker->voices.head; item; item = item->next)
        end = MAX(end, voice_end(item->data));
    g_mutex_unlock(&worker->thread.mutex);
    return end;
}

void voice_worker_cut(struct voice_worker *worker, guint64 stop)
{
    g_mutex_lock(&worker->thread.mutex);
    for (GList *item = worker->voices.head; item; item = item->next) {
        struct voice *voice = item->data;
        voice->order.stop = MIN(voice->order.stop, stop);
    }
    g_mutex_unlock(&worker->thread.mutex);
}

void voice_worker_mix(struct voice_worker *worker, guint64 from, float *to, gsize count, GPtrArray *begun)
{
    g_mutex_lock(&worker->thread.mutex);
    memset(to, 0, count * worker->channels * sizeof(*to));
    worker->until = MAX(worker->until, from + 2 * count); // who waits for nothing gets what is next
    for (GList *item = worker->voices.head, *next; item; item = next) {
        struct voice *voice = item->data;
        next = item->next;
        if (voice_mix(voice, from, to, count, worker->channels))
            g_ptr_array_add(begun, voice_ref(voice));
        if (voice_end(voice) > from + count)
            continue;
        voice->cancelled = TRUE;
        g_queue_delete_link(&worker->voices, item);
        voice_unref(&voice);
    }
    g_cond_broadcast(&worker->thread.cond);
    g_mutex_unlock(&worker->thread.mutex);
}

void voice_worker_stats(struct voice_worker *worker, struct voice_stats *stats)
{
    g_mutex_lock(&worker->thread.mutex);
    *stats = worker->stats;
    stats->loaded = worker->thread.loaded;
    stats->prepared = 0;
    for (gsize i = 0; i < worker->shelf_count; i++)
        stats->prepared += g_queue_get_length(&worker->shelves[i].ready);
    g_mutex_unlock(&worker->thread.mutex);
}
