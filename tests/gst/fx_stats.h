// SPDX-License-Identifier: LGPL-2.1-or-later
// What diffusefx counts, for its tests and its benchmark.
#ifndef EBB_TEST_FX_STATS_H
#define EBB_TEST_FX_STATS_H

#include <gst/gst.h>

// How many sounds are ready to be played at once.
static inline guint fx_prepared(GstElement *fx)
{
    GstStructure *stats;
    guint count = 0;
    g_object_get(fx, "stats", &stats, NULL);
    gst_structure_get_uint(stats, "prepared", &count);
    gst_structure_free(stats);
    return count;
}

#endif
