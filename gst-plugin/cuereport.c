// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuereport.h"

#include "messages.h"

void cue_report_clear(struct cue_report *report)
{
    g_clear_pointer(&report->texts, g_ptr_array_unref);
    *report = (struct cue_report){.cues = 0};
}

// Whether it is the first of its text.
static gboolean remember(struct cue_report *report, const char *text)
{
    if (!report->texts)
        report->texts = g_ptr_array_new_with_free_func(g_free);
    if (g_ptr_array_find_with_equal_func(report->texts, text, g_str_equal, NULL))
        return FALSE;
    if (report->texts->len < TEXTS_MOST)
        g_ptr_array_add(report->texts, g_strdup(text));
    return TRUE;
}

static void warn(GstElement *element, const char *text, GstClockTime moment, const char *why, gboolean last)
{
    struct ebb_error warning = {.code = EBB_NOT_FOUND};
    char *time = GST_CLOCK_TIME_IS_VALID(moment)
                     ? g_strdup_printf(" at %" GST_TIME_FORMAT, GST_TIME_ARGS(moment))
                     : g_strdup("");
    g_snprintf(warning.message, sizeof(warning.message), "\"%.200s\"%s %s%s", text, time, why,
               last ? " (no more warnings of this kind; the property stats has the rest)" : "");
    diffuse_post_warning(element, &warning);
    g_free(time);
}

void cue_report_unplaced(struct cue_report *report, GstElement *element, const char *text,
                         GstClockTime moment, const char *why)
{
    GST_OBJECT_LOCK(element);
    report->unplaced++;
    gboolean tell = remember(report, text) && report->warnings < WARNINGS_MOST;
    report->warnings += tell;
    gboolean last = report->warnings == WARNINGS_MOST;
    GST_OBJECT_UNLOCK(element);
    if (tell)
        warn(element, text, moment, why, last);
}

static void add_texts(GstStructure *structure, const struct cue_report *report)
{
    GValue texts = G_VALUE_INIT;
    g_value_init(&texts, GST_TYPE_ARRAY);
    for (guint i = 0; report->texts && i < report->texts->len; i++) {
        GValue text = G_VALUE_INIT;
        g_value_init(&text, G_TYPE_STRING);
        g_value_set_string(&text, report->texts->pdata[i]);
        gst_value_array_append_and_take_value(&texts, &text);
    }
    gst_structure_take_value(structure, "unplaced-texts", &texts);
}

GstStructure *cue_report_stats(const struct cue_report *report, struct voice_worker *worker, gint rate)
{
    struct voice_stats stats = {0};
    if (worker)
        voice_worker_stats(worker, &stats);
    double seconds = rate ? (double)stats.samples / rate : 0;
    double rtf = seconds > 0 ? (double)stats.compute / GST_SECOND / seconds : 0;
    GstStructure *structure = gst_structure_new("diffuse-fx-stats", "cues", G_TYPE_UINT64, report->cues,
                                                "sounds", G_TYPE_UINT64, stats.sounds, "plays", G_TYPE_UINT64,
                                                report->plays, "unplaced", G_TYPE_UINT64, report->unplaced,
                                                "late", G_TYPE_UINT64, report->late, "play-latency",
                                                G_TYPE_UINT64, report->play_latency, "play-latency-most",
                                                G_TYPE_UINT64, report->play_latency_most, "compute-time",
                                                G_TYPE_UINT64, stats.compute, "rtf", G_TYPE_DOUBLE, rtf,
                                                "prepared", G_TYPE_UINT, stats.prepared, "loaded",
                                                G_TYPE_BOOLEAN, stats.loaded, NULL);
    add_texts(structure, report);
    return structure;
}
