// SPDX-License-Identifier: LGPL-2.1-or-later
// diffusesrc: an element that generates sound with a diffusion model.
#ifndef GST_DIFFUSE_SRC_H
#define GST_DIFFUSE_SRC_H

#include <gst/base/gstpushsrc.h>

#define GST_TYPE_DIFFUSE_SRC (gst_diffuse_src_get_type())
G_DECLARE_FINAL_TYPE(GstDiffuseSrc, gst_diffuse_src, GST, DIFFUSE_SRC, GstPushSrc)

GST_ELEMENT_REGISTER_DECLARE(diffusesrc)

#endif
