// The streaming thread of diffusesrc: from the worker's clips to buffers with their times.
#include "gstdiffusesrc.h"

#include <math.h>
#include <string.h>

static GstClockTime time_of(const GstDiffuseSrc *src, guint64 frame)
{
    return gst_util_uint64_scale_round(frame, GST_SECOND, (guint64)src->info.rate);
}

static void apply_seek(GstDiffuseSrc *src)
{
    guint64 rate = (guint64)src->info.rate, native = (guint64)src->native_rate;
    src->position = gst_util_uint64_scale_round(src->wanted, rate, GST_SECOND);
    src->wanted = GST_CLOCK_TIME_NONE;
    src->silence = 0;
    src->volume = -1;
    src->underrun = FALSE;
    clip_worker_seek(src->worker, gst_util_uint64_scale(src->position, native, rate));
    format_reset(src->format);
}

// How long the next buffer may be: samplesperbuffer, or what is left to the end of clips or segment. 0: the end.
static gsize frames_left(GstDiffuseSrc *src, guint samples_per_buffer)
{
    guint64 rate = (guint64)src->info.rate, end = G_MAXUINT64, total = clip_worker_total(src->worker);
    if (total != G_MAXUINT64)
        end = gst_util_uint64_scale_ceil(total + src->silence, rate, (guint64)src->native_rate);
    GstClockTime stop = GST_BASE_SRC(src)->segment.stop;
    if (GST_CLOCK_TIME_IS_VALID(stop))
        end = MIN(end, gst_util_uint64_scale_round(stop, rate, GST_SECOND));
    return src->position < end ? (gsize)MIN(end - src->position, samples_per_buffer) : 0;
}

// A consumer with a clock holds us up for about as long as the sound lasts (less what lies in queues); one without (a file)
// takes all there is: being behind is no news to it, and every message would pause it.
static gboolean consumer_keeps_time(const GstDiffuseSrc *src)
{
    guint64 sound = gst_util_uint64_scale(src->position - src->began_at, G_USEC_PER_SEC, (guint64)src->info.rate);
    return src->left && (guint64)src->held_up >= sound / 4;
}

static enum clip_wait wait_for(GstDiffuseSrc *src, gsize count, gsize frames)
{
    if (clip_worker_is_ready(src->worker, count))
        return clip_worker_wait(src->worker, count, 0, FALSE);
    if (!gst_base_src_is_live(GST_BASE_SRC(src)))
        return clip_worker_wait(src->worker, count, 0, consumer_keeps_time(src));
    // While sound is late one deadline follows from the other: what a buffer takes beside the wait must not add up.
    gint64 patience = (gint64)gst_util_uint64_scale(frames, G_USEC_PER_SEC, (guint64)src->info.rate);
    src->deadline = (src->underrun ? src->deadline : g_get_monotonic_time()) + patience;
    return clip_worker_wait(src->worker, count, src->deadline, FALSE);
}

static GstClockTime running_time(GstDiffuseSrc *src, GstClockTime pts)
{
    return gst_segment_to_running_time(&GST_BASE_SRC(src)->segment, GST_FORMAT_TIME, pts);
}

static GstClockTime stream_time(GstDiffuseSrc *src, GstClockTime pts)
{
    return gst_segment_to_stream_time(&GST_BASE_SRC(src)->segment, GST_FORMAT_TIME, pts);
}

// Once per gap, when it begins.
static void post_underrun(GstDiffuseSrc *src, GstClockTime pts, GstClockTime duration)
{
    GST_OBJECT_LOCK(src);
    guint64 underruns = ++src->underruns;
    GST_OBJECT_UNLOCK(src);
    GstMessage *message = gst_message_new_qos(GST_OBJECT(src), TRUE, running_time(src, pts), stream_time(src, pts), pts, duration);
    gst_message_set_qos_values(message, (gint64)duration, 1.0, 1000000);
    gst_message_set_qos_stats(message, GST_FORMAT_BUFFERS, src->position / MAX(1, src->settings.samples_per_buffer), underruns);
    gst_element_post_message(GST_ELEMENT(src), message);
}

static void post_clip(GstDiffuseSrc *src, const struct clip_info *info, GstClockTime pts)
{
    double seconds = (double)info->length / src->native_rate;
    GstStructure *structure = gst_structure_new(
        "diffuse-clip", "index", G_TYPE_UINT64, info->index, "seed", G_TYPE_UINT64, info->seed, "compute-time", G_TYPE_UINT64,
        info->compute, "rtf", G_TYPE_DOUBLE, (double)info->compute / GST_SECOND / seconds, "timestamp", G_TYPE_UINT64, pts,
        "stream-time", G_TYPE_UINT64, stream_time(src, pts), "running-time", G_TYPE_UINT64, running_time(src, pts), "duration",
        G_TYPE_UINT64, gst_util_uint64_scale_round(info->length, GST_SECOND, (guint64)src->native_rate), NULL);
    gst_element_post_message(GST_ELEMENT(src), gst_message_new_element(GST_OBJECT(src), structure));
}

static gboolean all_zero(const float *samples, gsize count)
{
    for (gsize i = 0; i < count; i++)
        if (samples[i] != 0)
            return FALSE;
    return TRUE;
}

// Fills scratch with `count` samples, zeros where there are none: a late clip's, or past the end (the resampler's tail).
static gsize gather(GstDiffuseSrc *src, gsize count, gboolean late, gboolean post, GstClockTime pts)
{
    gsize begun;
    struct clip_info info;
    gsize got = clip_worker_read(src->worker, src->scratch, count, &begun, &info);
    memset(src->scratch + got, 0, (count - got) * sizeof(*src->scratch));
    if (begun != G_MAXSIZE && post)
        post_clip(src, &info, pts + gst_util_uint64_scale_round(begun, GST_SECOND, (guint64)src->native_rate));
    if (late)
        src->silence += count - got;
    return got;
}

static gboolean reserve(GstDiffuseSrc *src, gsize count)
{
    if (count <= src->scratch_size)
        return TRUE;
    float *scratch = g_try_realloc_n(src->scratch, count, sizeof(*scratch));
    if (!scratch)
        return FALSE;
    src->scratch = scratch;
    src->scratch_size = count;
    return TRUE;
}

static void stamp(GstDiffuseSrc *src, GstBuffer *buffer, gsize frames)
{
    GST_BUFFER_PTS(buffer) = time_of(src, src->position);
    GST_BUFFER_OFFSET(buffer) = src->position;
    if (!src->left)
        src->began_at = src->position;
    src->left = g_get_monotonic_time();
    src->position += frames;
    GST_BUFFER_DURATION(buffer) = time_of(src, src->position) - GST_BUFFER_PTS(buffer);
    GST_BUFFER_OFFSET_END(buffer) = src->position;
}

// The volume at `pts`, and whether to post messages.
static double sync_controls(GstDiffuseSrc *src, GstClockTime pts, gboolean *post)
{
    gst_object_sync_values(GST_OBJECT(src), stream_time(src, pts));
    GST_OBJECT_LOCK(src);
    double volume = src->settings.volume;
    *post = src->settings.post_messages;
    GST_OBJECT_UNLOCK(src);
    return volume;
}

static GstBuffer *make_buffer(GstDiffuseSrc *src, gsize count, gsize frames, gboolean late)
{
    GstClockTime pts = time_of(src, src->position);
    gboolean post;
    double volume = sync_controls(src, pts, &post);
    gsize got = gather(src, count, late, post, pts);
    gboolean silent = all_zero(src->scratch, count), resumed = src->underrun && got > 0;
    if (late && !src->underrun)
        post_underrun(src, pts, time_of(src, src->position + frames) - pts);
    src->underrun = late;

    GstBuffer *buffer = format_convert(src->format, src->scratch, count, frames, src->volume < 0 ? volume : src->volume, volume);
    if (!buffer)
        return NULL;
    src->volume = volume;
    stamp(src, buffer, frames);
    if (silent && src->info.rate == src->native_rate)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    if (resumed)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    return buffer;
}

static void append_number(GString *text, const char *key, double value)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append_printf(text, " %s=%s", key, g_ascii_formatd(digits, sizeof(digits), "%g", value));
}

// What makes these clips again.
static char *write_recipe(const struct clip_settings *clips, const struct ebb_model *model, int label)
{
    const struct ebb_model_info *info = ebb_model_info(model);
    struct ebb_generate_params p;
    ebb_generate_params_default(&p);
    p.label = label;
    p.steps = clips->steps;
    p.sampler = clips->sampler && *clips->sampler ? clips->sampler : NULL;
    p.guidance = clips->guidance < 0 ? NAN : clips->guidance;
    p.classifier_guidance = clips->classifier_guidance;
    if (ebb_generate_settle(model, &p, NULL) != EBB_OK)
        return NULL; // refused settings make no clips either

    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "ebb model=%s hash=%s label=%s seed=%" G_GUINT64_FORMAT, info->name, info->hash,
                           label >= 0 ? ebb_model_label(model, label)->name : "", clips->seed);
    g_string_append_printf(text, "%s steps=%d sampler=%s", p.student == EBB_STUDENT_YES ? " student=true" : "", p.steps, p.sampler);
    if (p.student != EBB_STUDENT_YES) {
        append_number(text, "guidance", p.guidance);
        append_number(text, "classifier-guidance", p.classifier_guidance);
    }
    append_number(text, "crossfade", clips->crossfade);
    append_number(text, "gap", clips->gap);
    return g_string_free(text, FALSE);
}

static void send_tags(GstDiffuseSrc *src)
{
    const struct ebb_model_info *info = ebb_model_info(src->session.model);
    GST_OBJECT_LOCK(src);
    const struct clip_settings *clips = &src->settings.clips;
    gboolean named = clips->label && *clips->label;
    int label = named ? ebb_model_find_label(src->session.model, clips->label, NULL) : info->default_label;
    char *recipe = write_recipe(clips, src->session.model, label);
    GST_OBJECT_UNLOCK(src);
    GstTagList *tags = gst_tag_list_new(GST_TAG_TITLE, label >= 0 ? ebb_model_label(src->session.model, label)->name : info->name,
                                        GST_TAG_APPLICATION_NAME, "Ebb diffusesrc", NULL);
    if (recipe)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_COMMENT, recipe, NULL);
    if (info->licence)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_LICENSE, info->licence, NULL);
    if (info->credit)
        gst_tag_list_add(tags, GST_TAG_MERGE_REPLACE, GST_TAG_COPYRIGHT, info->credit, NULL);
    g_free(recipe);

    // The base class puts it after the segment; a tag list without scope would be taken for the stream's.
    // The class's own function: gst_element_send_event() takes the state lock, which whoever is stopping us holds.
    GST_ELEMENT_GET_CLASS(src)->send_event(GST_ELEMENT(src), gst_event_new_tag(tags));
}

GstFlowReturn gst_diffuse_src_create(GstPushSrc *push, GstBuffer **buffer)
{
    GstDiffuseSrc *src = GST_DIFFUSE_SRC(push);
    if (!src->format)
        return GST_FLOW_NOT_NEGOTIATED;
    if (GST_CLOCK_TIME_IS_VALID(src->wanted))
        apply_seek(src);
    if (src->left)
        src->held_up += g_get_monotonic_time() - src->left;
    if (!src->tags_sent) {
        src->tags_sent = TRUE;
        send_tags(src);
    }

    GST_OBJECT_LOCK(src);
    guint samples_per_buffer = src->settings.samples_per_buffer;
    GST_OBJECT_UNLOCK(src);
    gsize frames = frames_left(src, samples_per_buffer);
    if (!frames)
        return GST_FLOW_EOS;
    gsize count = format_needs(src->format, frames);
    enum clip_wait result = reserve(src, count) ? wait_for(src, count, frames) : CLIP_FAILED;
    if (result == CLIP_FLUSHING)
        return GST_FLOW_FLUSHING;
    if (result == CLIP_FAILED)
        return GST_FLOW_ERROR; // the worker has said why
    *buffer = make_buffer(src, count, frames, result == CLIP_LATE);
    if (*buffer)
        return GST_FLOW_OK;
    GST_ELEMENT_ERROR(src, RESOURCE, NO_SPACE_LEFT, ("Out of memory."), (NULL));
    return GST_FLOW_ERROR;
}
