// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties model, device, gpu and threads, which all elements have.
#ifndef GST_DIFFUSE_MODELPROPERTIES_H
#define GST_DIFFUSE_MODELPROPERTIES_H

#include <gst/gst.h>

// Under the element's object lock. `device` and `threads` count from the next start on.
struct model_settings {
    char *model;  // folder or name; NULL or "": the shipped model
    gint device;  // index of the choice
    char *gpu;    // part of a GPU's name; NULL or "": the best one
    gint threads; // 0: physical cores
};

void model_settings_init(struct model_settings *settings);
void model_settings_clear(struct model_settings *settings);
struct model_settings model_settings_copy(const struct model_settings *settings); // to be cleared

// The device as the library names it: "auto", "vulkan:1", "vulkan:NAME". The caller frees it.
char *model_settings_device(const struct model_settings *settings);

// Property ids: `first`, `first` + 1 and so on in this order.
enum model_property {
    MODEL_PROPERTY_MODEL,
    MODEL_PROPERTY_DEVICE,
    MODEL_PROPERTY_GPU,
    MODEL_PROPERTY_THREADS,
    MODEL_PROPERTIES,
};

// `shipped` names the model that an empty `model` stands for.
void model_settings_install(GObjectClass *klass, guint first, const char *shipped);
void model_settings_set(struct model_settings *settings, enum model_property property, const GValue *value);
void model_settings_get(const struct model_settings *settings, enum model_property property, GValue *value);

#endif
