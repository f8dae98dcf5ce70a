// SPDX-License-Identifier: LGPL-2.1-or-later
// diffusefx: an element that makes the sounds that subtitles describe.
#ifndef GST_DIFFUSE_FX_H
#define GST_DIFFUSE_FX_H

#include <gst/gst.h>

#define GST_TYPE_DIFFUSE_FX (gst_diffuse_fx_get_type())
G_DECLARE_FINAL_TYPE(GstDiffuseFx, gst_diffuse_fx, GST, DIFFUSE_FX, GstElement)

GST_ELEMENT_REGISTER_DECLARE(diffusefx)

#endif
