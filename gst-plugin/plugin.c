// SPDX-License-Identifier: LGPL-2.1-or-later
// The plugin's front door. Runs in gst-plugin-scanner: it registers, and opens nothing.
#include <gst/gst.h>

#include "gstdiffusedenoise.h"
#include "gstdiffusefx.h"
#include "gstdiffusesrc.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    return GST_ELEMENT_REGISTER(diffusesrc, plugin) && GST_ELEMENT_REGISTER(diffusedenoise, plugin) &&
           GST_ELEMENT_REGISTER(diffusefx, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, diffuse,
                  "Diffusion audio: a source, a cleaner, sounds for subtitles", plugin_init, VERSION,
                  EBB_LICENCE, PACKAGE, "The Ebb authors")
