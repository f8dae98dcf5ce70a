// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of diffusesrc: their ids, their values, and how they are installed.
#ifndef GST_DIFFUSE_SOURCEPROPERTIES_H
#define GST_DIFFUSE_SOURCEPROPERTIES_H

#include "modelproperties.h"
#include "settings.h"

enum source_property {
    SOURCE_MODEL = 1,                                 // and the other model properties
    SOURCE_SETTING = SOURCE_MODEL + MODEL_PROPERTIES, // any row of the library's table of settings
    SOURCE_LOOKAHEAD,
    SOURCE_SAMPLES_PER_BUFFER,
    SOURCE_TRIM,
    SOURCE_VOLUME,
    SOURCE_POST_MESSAGES,
    SOURCE_IS_LIVE,    // kept by the base class
    SOURCE_STATS,      // made by the element
    SOURCE_MODEL_INFO, // made by the element
    SOURCE_LABELS,     // made by the element
};

// Under the element's object lock.
struct source_settings {
    struct model_settings model;
    struct diffuse_settings sound;
    guint lookahead;
    guint samples_per_buffer;
    gboolean trim;
    double volume;
    gboolean post_messages;
};

void source_settings_init(struct source_settings *settings);
void source_settings_clear(struct source_settings *settings);
void source_settings_install(GObjectClass *klass);

// The properties whose values lie in the settings. FALSE: the value was not taken; settings->sound.refusal
// says why.
gboolean source_settings_set(struct source_settings *settings, guint id, const GParamSpec *pspec,
                             const GValue *value);
void source_settings_get(const struct source_settings *settings, guint id, const GParamSpec *pspec,
                         GValue *value);

#endif
