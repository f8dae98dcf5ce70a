// SPDX-License-Identifier: LGPL-2.1-or-later
#include "loader.h"

#include "messages.h"

void loader_init(struct loader *loader)
{
    g_mutex_init(&loader->mutex);
    g_cond_init(&loader->cond);
}

void loader_clear(struct loader *loader)
{
    g_free(loader->device);
    g_mutex_clear(&loader->mutex);
    g_cond_clear(&loader->cond);
}

// ---- stopping ----

static void set_flag(struct loader *loader, gint *flag, gboolean value)
{
    g_mutex_lock(&loader->mutex);
    g_atomic_int_set(flag, value);
    g_atomic_int_set(&loader->cancel,
                     g_atomic_int_get(&loader->flushing) || g_atomic_int_get(&loader->stopping));
    g_cond_broadcast(&loader->cond);
    g_mutex_unlock(&loader->mutex);
}

void loader_set_flushing(struct loader *loader, gboolean flushing)
{
    set_flag(loader, &loader->flushing, flushing);
}

void loader_set_stopping(struct loader *loader, gboolean stopping)
{
    set_flag(loader, &loader->stopping, stopping);
}

bool loader_go_on(void *user, double fraction)
{
    struct loader *loader = user;
    return !g_atomic_int_get(&loader->cancel);
}

// ---- loading ----

static gpointer load(gpointer data)
{
    struct loader *loader = data;
    gboolean good = diffuse_session_load(loader->session, loader->element, loader->device, loader->threads,
                                         &loader->stopping);
    g_mutex_lock(&loader->mutex);
    loader->ended = TRUE;
    loader->good = good;
    g_cond_broadcast(&loader->cond);
    g_mutex_unlock(&loader->mutex);
    return NULL;
}

gboolean loader_start(struct loader *loader, struct diffuse_session *session, GstElement *element,
                      const char *device, gint threads)
{
    loader->session = session;
    loader->element = element;
    g_free(loader->device);
    loader->device = g_strdup(device);
    loader->threads = threads;
    loader->ended = loader->good = FALSE;
    loader_set_flushing(loader, FALSE);
    loader_set_stopping(loader, FALSE);
    loader->thread = g_thread_try_new("diffusedenoise", load, loader, NULL);
    if (loader->thread)
        return TRUE;
    GST_ELEMENT_ERROR(element, RESOURCE, NO_SPACE_LEFT, ("No thread could be started."), (NULL));
    return FALSE;
}

void loader_stop(struct loader *loader)
{
    loader_set_stopping(loader, TRUE);
    g_clear_pointer(&loader->thread, g_thread_join);
}

GstFlowReturn loader_wait(struct loader *loader)
{
    g_mutex_lock(&loader->mutex);
    while (!loader->ended && !g_atomic_int_get(&loader->cancel))
        g_cond_wait(&loader->cond, &loader->mutex);
    GstFlowReturn result = loader->good ? GST_FLOW_OK : GST_FLOW_ERROR;
    if (g_atomic_int_get(&loader->cancel))
        result = GST_FLOW_FLUSHING;
    g_mutex_unlock(&loader->mutex);
    return result;
}

gboolean loader_is_done(struct loader *loader)
{
    g_mutex_lock(&loader->mutex);
    gboolean done = loader->ended && loader->good;
    g_mutex_unlock(&loader->mutex);
    return done;
}
