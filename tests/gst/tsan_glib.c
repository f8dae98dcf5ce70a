// SPDX-License-Identifier: LGPL-2.1-or-later
// For the elements' tests under ThreadSanitizer: GLib is not built with it and its locks are no pthread's, so
// the sanitizer does not see what they order. These functions stand in front of GLib's and tell it. GStreamer
// calls them too. Linked into the tests with -Db_sanitize=thread.
#include <dlfcn.h>
#include <glib-object.h>
#include <sanitizer/tsan_interface.h>

#define NEXT(name) (*(__typeof__(&(name)) *)&(void *){dlsym(RTLD_NEXT, #name)})

// After the real call what happened before other releases of `place` is known; before it, what happened here
// is told.
#define TAKES(name, type)                                                                                    \
    void name(type *lock)                                                                                    \
    {                                                                                                        \
        static __typeof__(&(name)) real;                                                                     \
        if (!real)                                                                                           \
            real = NEXT(name);                                                                               \
        real(lock);                                                                                          \
        __tsan_acquire(lock);                                                                                \
    }
#define TRIES(name, type)                                                                                    \
    gboolean name(type *lock)                                                                                \
    {                                                                                                        \
        static __typeof__(&(name)) real;                                                                     \
        if (!real)                                                                                           \
            real = NEXT(name);                                                                               \
        gboolean taken = real(lock);                                                                         \
        if (taken)                                                                                           \
            __tsan_acquire(lock);                                                                            \
        return taken;                                                                                        \
    }
#define GIVES(name, type)                                                                                    \
    void name(type *lock)                                                                                    \
    {                                                                                                        \
        static __typeof__(&(name)) real;                                                                     \
        if (!real)                                                                                           \
            real = NEXT(name);                                                                               \
        __tsan_release(lock);                                                                                \
        real(lock);                                                                                          \
    }

TAKES(g_mutex_lock, GMutex)
TRIES(g_mutex_trylock, GMutex)
GIVES(g_mutex_unlock, GMutex)
TAKES(g_rec_mutex_lock, GRecMutex)
TRIES(g_rec_mutex_trylock, GRecMutex)
GIVES(g_rec_mutex_unlock, GRecMutex)
TAKES(g_rw_lock_writer_lock, GRWLock)
TRIES(g_rw_lock_writer_trylock, GRWLock)
GIVES(g_rw_lock_writer_unlock, GRWLock)
TAKES(g_rw_lock_reader_lock, GRWLock)
TRIES(g_rw_lock_reader_trylock, GRWLock)
GIVES(g_rw_lock_reader_unlock, GRWLock)

// Waiting gives the mutex away and takes it again.
void g_cond_wait(GCond *cond, GMutex *mutex)
{
    static __typeof__(&g_cond_wait) real;
    if (!real)
        real = NEXT(g_cond_wait);
    __tsan_release(mutex);
    real(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
    static __typeof__(&g_cond_wait_until) real;
    if (!real)
        real = NEXT(g_cond_wait_until);
    __tsan_release(mutex);
    gboolean signalled = real(cond, mutex, end);
    __tsan_acquire(mutex);
    return signalled;
}

// A type's class is made by the first thread that asks, and read by all.
gpointer g_type_class_ref(GType type)
{
    static __typeof__(&g_type_class_ref) real;
    static char place;
    if (!real)
        real = NEXT(g_type_class_ref);
    gpointer class = real(type);
    __tsan_release(&place);
    __tsan_acquire(&place);
    return class;
}

void g_object_unref(gpointer object)
{
    static __typeof__(&g_object_unref) real;
    if (!real)
        real = NEXT(g_object_unref);
    __tsan_release(object); // the last one frees what all others have used
    __tsan_acquire(object);
    real(object);
}
