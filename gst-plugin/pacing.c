// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pacing.h"

#include <gst/base/gstbasesink.h>

static gint compare_sync(gconstpointer item, gconstpointer user)
{
    GstElement *element = g_value_get_object(item);
    return GST_IS_BASE_SINK(element) && gst_base_sink_get_sync(GST_BASE_SINK(element)) ? 0 : 1;
}

gboolean diffuse_pipeline_keeps_time(GstElement *element)
{
    GstObject *top = gst_object_ref(GST_OBJECT(element)), *parent;
    while ((parent = gst_object_get_parent(top))) {
        gst_object_unref(top);
        top = parent;
    }
    gboolean found = TRUE;
    if (GST_IS_PIPELINE(top)) {
        GstIterator *all = gst_bin_iterate_recurse(GST_BIN(top));
        GValue sink = G_VALUE_INIT;
        found = gst_iterator_find_custom(all, compare_sync, &sink, NULL);
        g_value_unset(&sink);
        gst_iterator_free(all);
    }
    gst_object_unref(top);
    return found;
}
