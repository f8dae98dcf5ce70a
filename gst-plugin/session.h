// What both elements share: a model and the device it runs on, and how failures of the library become messages on the bus.
#ifndef GST_DIFFUSE_SESSION_H
#define GST_DIFFUSE_SESSION_H

#include <gst/gst.h>

#include <ebb/ebb.h>

// The library's own log lines ("diffuse-engine"). The elements have a category each.
GST_DEBUG_CATEGORY_EXTERN(diffuse_engine_debug);

// Registers the categories and types both elements need. Cheap: it runs in gst-plugin-scanner. Any thread, any number of times.
void diffuse_session_init_types(void);

// Posts an ERROR (or WARNING) message whose domain and code follow from `error`, one to one. Not under the object lock.
void diffuse_post_error(GstElement *element, const struct ebb_error *error);
void diffuse_post_warning(GstElement *element, const struct ebb_error *error);

// Zeroed is closed. Owned by one element; open, load and close are called by one thread at a time.
struct diffuse_session {
    struct ebb_model *model;
    struct ebb_device *device;
    char *model_name;
    char *device_name;
    int threads;
    gboolean loaded;
    gboolean moved; // the bus was told that the model has gone to another device
};

// Opens the model (configs only, a few milliseconds) unless just this one is open. `name` NULL or "": the shipped model of
// this kind. Posts the error on failure.
gboolean diffuse_session_open(struct diffuse_session *session, GstElement *element, const char *name,
                              enum ebb_model_kind kind);

// Tells the bus that loading begins; nothing if all is loaded. To be called in the state change, before the thread that loads.
void diffuse_session_announce(struct diffuse_session *session, GstElement *element, const char *device, int threads);

// Opens the device and loads the weights, which may take a while; then closes the announced PROGRESS. `cancel` (atomic) set:
// PROGRESS CANCELED. Posts the error on failure.
gboolean diffuse_session_load(struct diffuse_session *session, GstElement *element, const char *device, int threads,
                              const gint *cancel);

// To be called after something was computed: posts a WARNING, once, if the model did not fit on the GPU and has gone to the CPU.
void diffuse_session_check_device(struct diffuse_session *session, GstElement *element);

// Forgets model and device.
void diffuse_session_close(struct diffuse_session *session);

// The model-info property: NULL if no model is open.
GstStructure *diffuse_session_info(const struct diffuse_session *session);

// What is wrong with a sampler's name (NULL and "" are fine), with all there are in the message.
gboolean diffuse_check_sampler(const char *name, struct ebb_error *error);

// "euler, heun, ...", for a property's blurb; lives for ever.
const char *diffuse_sampler_names(void);

#endif
