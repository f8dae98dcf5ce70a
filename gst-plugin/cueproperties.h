// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of diffusefx: their ids, their values, and how they are installed.
#ifndef GST_DIFFUSE_CUEPROPERTIES_H
#define GST_DIFFUSE_CUEPROPERTIES_H

#include "cuelabels.h"
#include "modelproperties.h"
#include "settings.h"

enum cue_property {
    CUE_MODEL = 1,                              // and the other model properties
    CUE_SETTING = CUE_MODEL + MODEL_PROPERTIES, // a row of the library's table of settings
    CUE_PLAIN_LINES,
    CUE_DURATION,
    CUE_TAIL,
    CUE_PREPARE,
    CUE_LOOKAHEAD,
    CUE_SAMPLES_PER_BUFFER,
    CUE_IS_LIVE,
    CUE_LATENCY,
    CUE_VOLUME,
    CUE_WIDTH,
    CUE_POST_MESSAGES,
    CUE_STATS,      // made by the element
    CUE_MODEL_INFO, // made by the element
    CUE_LABELS,     // made by the element
};

// Under the element's object lock.
struct cue_settings {
    struct model_settings model;
    struct diffuse_settings sound;
    enum plain_lines plain;
    double duration; // seconds of a texture whose cue does not tell
    double tail;     // seconds of sound behind the end of the last cue, at most
    char *prepare;   // NULL: nothing
    guint lookahead;
    guint samples_per_buffer;
    gboolean is_live;
    guint latency; // ms
    double volume;
    double width; // of two channels, 0..1
    gboolean post_messages;
};

void cue_settings_init(struct cue_settings *settings);
void cue_settings_clear(struct cue_settings *settings);
void cue_settings_install(GObjectClass *klass);

// The properties whose values lie in the settings. FALSE: the value was not taken; settings->sound.refusal
// says why.
gboolean cue_settings_set(struct cue_settings *settings, guint id, const GParamSpec *pspec,
                          const GValue *value);
void cue_settings_get(const struct cue_settings *settings, guint id, const GParamSpec *pspec, GValue *value);

#endif
