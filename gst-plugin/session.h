// SPDX-License-Identifier: LGPL-2.1-or-later
// What every element has: a model, the device it runs on, and the messages that tell how loading goes.
#ifndef GST_DIFFUSE_SESSION_H
#define GST_DIFFUSE_SESSION_H

#include <gst/gst.h>

#include <ebb/ebb.h>

// Registers the debug category "diffuse-engine": the lines that the library logs. Cheap, since
// gst-plugin-scanner calls it. From any thread, any number of times.
void diffuse_session_init_types(void);

// Zeroed is closed. Owned by one element. Open, load and close: one thread at a time.
struct diffuse_session {
    struct ebb_model *model;
    struct ebb_device *device;
    char *model_name;
    char *device_name;
    int threads;
    gboolean loaded;
    gboolean moved; // the WARNING that the model moved to another device is posted
};

// Opens the model (configs only, a few milliseconds) unless it is the open one. `name` NULL or "": the
// shipped model of this kind. Posts an ERROR on failure.
gboolean diffuse_session_open(struct diffuse_session *session, GstElement *element, const char *name,
                              enum ebb_model_kind kind);

// Posts PROGRESS START, unless the model is loaded there already. Call it in the state change, before the
// thread that loads.
void diffuse_session_announce(struct diffuse_session *session, GstElement *element, const char *device,
                              int threads);

// Opens the device and loads the weights, which takes seconds for a large model. Then posts the end of the
// announced PROGRESS: COMPLETE, CANCELED if `cancel` (atomic) is set, or an ERROR message and PROGRESS ERROR.
gboolean diffuse_session_load(struct diffuse_session *session, GstElement *element, const char *device,
                              int threads, const gint *cancel);

// Call it after a computation. Posts a WARNING, once, if the model did not fit on the GPU and moved to the
// CPU.
void diffuse_session_check_device(struct diffuse_session *session, GstElement *element);

// Gives model and device back.
void diffuse_session_close(struct diffuse_session *session);

// The labels of the model of that name, opened for the question alone (configs, a few milliseconds). `name`
// as in diffuse_session_open(). NULL: there is no such model. From any thread.
GStrv diffuse_session_labels(const char *name, enum ebb_model_kind kind);

// The model-info property: NULL if no model is open.
GstStructure *diffuse_session_info(const struct diffuse_session *session);

#endif
