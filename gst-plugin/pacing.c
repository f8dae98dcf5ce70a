// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pacing.h"

#include <gst/base/gstbasesink.h>

static gint compare_sync(gconstpointer item, gconstpointer user)
{
    GstElement *element = g_value_get_object(item);
    return GST_IS_BASE_SINK(element) && gst_base_sink_get_sync(GST_BASE_SINK(element)) ? 0 : 1;
}

// A queue of several streams that holds no more of one than it takes to reach the others in the file.
static gint compare_interleave(gconstpointer item, gconstpointer user)
{
    GstElement *element = g_value_get_object(item);
    gboolean interleave = FALSE;
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), "use-interleave"))
        g_object_get(element, "use-interleave", &interleave, NULL);
    GST_OBJECT_LOCK(element);
    guint streams = element->numsinkpads;
    GST_OBJECT_UNLOCK(element);
    return interleave && streams > 1 ? 0 : 1;
}

// Whether an element of the pipeline is like that; `alone`: of an element outside of any pipeline.
static gboolean has(GstElement *element, GCompareFunc compare, gboolean alone)
{
    GstObject *top = gst_object_ref(GST_OBJECT(element)), *parent;
    while ((parent = gst_object_get_parent(top))) {
        gst_object_unref(top);
        top = parent;
    }
    gboolean found = alone;
    if (GST_IS_PIPELINE(top)) {
        GstIterator *all = gst_bin_iterate_recurse(GST_BIN(top));
        GValue value = G_VALUE_INIT;
        found = gst_iterator_find_custom(all, compare, &value, NULL);
        g_value_unset(&value);
        gst_iterator_free(all);
    }
    gst_object_unref(top);
    return found;
}

gboolean diffuse_pipeline_keeps_time(GstElement *element)
{
    return has(element, compare_sync, TRUE);
}

gboolean diffuse_pipeline_holds_little(GstElement *element)
{
    return has(element, compare_interleave, FALSE);
}
