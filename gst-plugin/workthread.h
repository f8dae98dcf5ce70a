// SPDX-License-Identifier: LGPL-2.1-or-later
// The thread of an element that makes sound: it loads the model, and works until it is ended.
#ifndef GST_DIFFUSE_WORKTHREAD_H
#define GST_DIFFUSE_WORKTHREAD_H

#include "session.h"

// Part of a worker, and its first member. Whoever changes something that the thread looks at holds the mutex
// and broadcasts.
struct work_thread {
    GstElement *element;             // borrowed
    struct diffuse_session *session; // borrowed
    gint cancel;                     // atomic: stop what is being computed

    GMutex mutex;
    GCond cond;
    gboolean loaded, failed, flushing; // under the mutex

    // Of work_thread_...() alone.
    GThread *thread;
    gboolean quit; // under the mutex
    char *device;
    int threads;
    gboolean (*work)(gpointer worker);
};

void work_thread_init(struct work_thread *thread, struct diffuse_session *session, GstElement *element);
void work_thread_clear(struct work_thread *thread); // after work_thread_end()

// Loads the session's open model, then calls `work` with the worker again and again, with the mutex held:
// something to do, or a wait for the condition. `work` says FALSE after a failure, which it has posted; that
// ends the thread. `name`: the thread's. FALSE: no thread could be started.
gboolean work_thread_start(struct work_thread *thread, const char *name, const char *device, int threads,
                           gboolean (*work)(gpointer worker));
void work_thread_end(struct work_thread *thread); // cancels, and joins

void work_thread_set_flushing(struct work_thread *thread, gboolean flushing);

// A progress hook of the library: `user` is the thread. Goes on until `cancel` is set.
bool work_thread_goes_on(void *user, double fraction);

#endif
