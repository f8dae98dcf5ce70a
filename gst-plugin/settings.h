// SPDX-License-Identifier: LGPL-2.1-or-later
// The settings of a sound as properties. Each row of the library's table of settings that the element's verb
// has is a property. A row that the library gains becomes a property without a change here.
//
// One rule for "as the model recommends": a number is -1, a text is empty, a choice is `auto`.
#ifndef GST_DIFFUSE_SETTINGS_H
#define GST_DIFFUSE_SETTINGS_H

#include <gst/gst.h>

#include <ebb/ebb.h>

// Zeroed is empty. Under the element's object lock.
struct diffuse_settings {
    enum ebb_verb verb;
    struct ebb_recipe *recipe; // NULL: there was no memory for it, and nothing is set
    gboolean drawn;            // the seed was drawn, not set
    char *refused;             // the property whose value was not taken; NULL: none
    struct ebb_error refusal;  // why
};

void diffuse_settings_init(struct diffuse_settings *settings, enum ebb_verb verb);
void diffuse_settings_clear(struct diffuse_settings *settings);

// Before a start: makes the recipe that there was no memory for. FALSE: there is none now.
gboolean diffuse_settings_ready(struct diffuse_settings *settings);

// Lists of names, each ended by NULL, or NULL.
struct diffuse_settings_traits {
    const char *const *ready;   // count from the next start on
    const char *const *driven;  // a controller may drive them
    const char *const *without; // are no properties
    const char *const *drawn;   // seeds that are drawn at random while nobody sets them
};

// Installs the properties, all with the same id.
void diffuse_settings_install(GObjectClass *klass, guint id, enum ebb_verb verb,
                              const struct diffuse_settings_traits *traits);

// FALSE: the value was not taken; `refusal` says why. A start fails then, until the property gets a value
// that is taken.
gboolean diffuse_settings_set(struct diffuse_settings *settings, const GParamSpec *pspec,
                              const GValue *value);
void diffuse_settings_get(const struct diffuse_settings *settings, const GParamSpec *pspec, GValue *value);

// Draws a seed unless one was set: the property reads it back.
void diffuse_settings_draw_seed(struct diffuse_settings *settings);

// For a stream that is running and goes on with its old value: forgets the refused one. Returns why it was
// refused.
struct ebb_error diffuse_settings_forgive(struct diffuse_settings *settings);

#endif
