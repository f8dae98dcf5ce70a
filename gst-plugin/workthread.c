// SPDX-License-Identifier: LGPL-2.1-or-later
#include "workthread.h"

void work_thread_init(struct work_thread *thread, struct diffuse_session *session, GstElement *element)
{
    thread->session = session;
    thread->element = element;
    g_mutex_init(&thread->mutex);
    g_cond_init(&thread->cond);
}

void work_thread_clear(struct work_thread *thread)
{
    g_free(thread->device);
    g_mutex_clear(&thread->mutex);
    g_cond_clear(&thread->cond);
}

static gpointer run(gpointer data)
{
    struct work_thread *thread = data;
    gboolean good = diffuse_session_load(thread->session, thread->element, thread->device, thread->threads,
                                         &thread->cancel);
    g_mutex_lock(&thread->mutex);
    thread->loaded = good;
    while (good && !thread->quit)
        good = thread->work(thread);
    thread->failed = !good;
    g_cond_broadcast(&thread->cond);
    g_mutex_unlock(&thread->mutex);
    return NULL;
}

gboolean work_thread_start(struct work_thread *thread, const char *name, const char *device, int threads,
                           gboolean (*work)(gpointer worker))
{
    thread->device = g_strdup(device);
    thread->threads = threads;
    thread->work = work;
    diffuse_session_announce(thread->session, thread->element, device, threads);
    thread->thread = g_thread_try_new(name, run, thread, NULL);
    return thread->thread != NULL;
}

void work_thread_end(struct work_thread *thread)
{
    g_mutex_lock(&thread->mutex);
    thread->quit = TRUE;
    g_atomic_int_set(&thread->cancel, 1);
    g_cond_broadcast(&thread->cond);
    g_mutex_unlock(&thread->mutex);
    g_clear_pointer(&thread->thread, g_thread_join);
}

void work_thread_set_flushing(struct work_thread *thread, gboolean flushing)
{
    g_mutex_lock(&thread->mutex);
    thread->flushing = flushing;
    g_cond_broadcast(&thread->cond);
    g_mutex_unlock(&thread->mutex);
}

bool work_thread_goes_on(void *user, double fraction)
{
    struct work_thread *thread = user;
    return !g_atomic_int_get(&thread->cancel);
}
