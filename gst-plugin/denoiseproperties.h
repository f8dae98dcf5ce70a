// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of diffusedenoise: their ids, their values, and how they are installed.
#ifndef GST_DIFFUSE_DENOISEPROPERTIES_H
#define GST_DIFFUSE_DENOISEPROPERTIES_H

#include "denoiser.h"
#include "modelproperties.h"
#include "overload.h"
#include "settings.h"

enum denoise_property {
    DENOISE_MODEL = 1,                                  // and the other model properties
    DENOISE_SETTING = DENOISE_MODEL + MODEL_PROPERTIES, // any row of the library's table of settings
    DENOISE_BYPASS,
    DENOISE_LATENCY_MODE,
    DENOISE_LATENCY,
    DENOISE_OVERLOAD,
    DENOISE_POST_MESSAGES,
    DENOISE_STATS, // made by the element
};

// Under the element's object lock.
struct denoise_settings {
    struct model_settings model;
    struct diffuse_settings cleaning;
    gboolean bypass, post_messages;
    gint latency_mode; // index of the choice
    gint latency;      // ms, -1: measured
    enum overload_policy overload;
};

void denoise_settings_init(struct denoise_settings *settings);
void denoise_settings_clear(struct denoise_settings *settings);
void denoise_settings_install(GObjectClass *klass);

// Whether the latency mode asks for small windows of a file too.
gboolean denoise_settings_is_quick(const struct denoise_settings *settings);

// The live window of the latency mode.
struct denoiser_window denoise_settings_window(const struct denoise_settings *settings);

// The properties whose values lie in the settings. FALSE: the value was not taken; settings->cleaning.refusal
// says why.
gboolean denoise_settings_set(struct denoise_settings *settings, guint id, const GParamSpec *pspec,
                              const GValue *value);
void denoise_settings_get(const struct denoise_settings *settings, guint id, const GParamSpec *pspec,
                          GValue *value);

#endif
