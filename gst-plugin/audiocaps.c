// SPDX-License-Identifier: LGPL-2.1-or-later
#include "audiocaps.h"

GstCaps *diffuse_audio_prefer(GstCaps *caps, int native_rate, int channels)
{
    caps = gst_caps_truncate(gst_caps_make_writable(caps));
    GstStructure *structure = gst_caps_get_structure(caps, 0);
    gst_structure_fixate_field_nearest_int(structure, "rate", native_rate ? native_rate : 48000);
    gst_structure_fixate_field_string(structure, "format", GST_AUDIO_NE(F32));
    gst_structure_fixate_field_string(structure, "layout", "interleaved");
    gst_structure_fixate_field_nearest_int(structure, "channels", channels);
    gst_structure_get_int(structure, "channels", &channels);
    if (channels > 2 && !gst_structure_has_field(structure, "channel-mask"))
        gst_structure_set(structure, "channel-mask", GST_TYPE_BITMASK,
                          gst_audio_channel_get_fallback_mask(channels), NULL);
    return caps;
}
