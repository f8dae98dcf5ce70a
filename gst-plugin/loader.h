// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread that loads a model while the pipeline starts, and the flags that stop it and every computation.
#ifndef GST_DIFFUSE_LOADER_H
#define GST_DIFFUSE_LOADER_H

#include "session.h"

// Part of an element.
struct loader {
    GMutex mutex;
    GCond cond;
    GThread *thread;
    gboolean ended, good;    // under the mutex
    gint flushing, stopping; // atomic, as `cancel`
    gint cancel;             // one of the two

    // Of the thread.
    struct diffuse_session *session; // borrowed, as the element
    GstElement *element;
    char *device;
    gint threads;
};

void loader_init(struct loader *loader);
void loader_clear(struct loader *loader); // after loader_stop()

// Loads the session's open model. Errors are posted on the element. FALSE: no thread could be started, as
// posted.
gboolean loader_start(struct loader *loader, struct diffuse_session *session, GstElement *element,
                      const char *device, gint threads);
void loader_stop(struct loader *loader); // cancels, and joins

// While one of them is set, waits return FLUSHING and computations end.
void loader_set_flushing(struct loader *loader, gboolean flushing);
void loader_set_stopping(struct loader *loader, gboolean stopping);

// Waits for the model: OK, FLUSHING, or ERROR, which has been posted.
GstFlowReturn loader_wait(struct loader *loader);

gboolean loader_is_done(struct loader *loader); // the model is loaded

// A progress hook of the library: `user` is the loader. Goes on until something is set.
bool loader_go_on(void *user, double fraction);

#endif
