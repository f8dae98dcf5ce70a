// SPDX-License-Identifier: LGPL-2.1-or-later
// diffusedenoise: an element that takes noise out of a recording with a diffusion model.
#ifndef GST_DIFFUSE_DENOISE_H
#define GST_DIFFUSE_DENOISE_H

#include <gst/audio/gstaudiofilter.h>

#define GST_TYPE_DIFFUSE_DENOISE (gst_diffuse_denoise_get_type())
G_DECLARE_FINAL_TYPE(GstDiffuseDenoise, gst_diffuse_denoise, GST, DIFFUSE_DENOISE, GstAudioFilter)

GST_ELEMENT_REGISTER_DECLARE(diffusedenoise)

#endif
