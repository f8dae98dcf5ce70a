// Where the library says what it did. It never prints: without a log it is silent.
#ifndef EBB_LOG_H
#define EBB_LOG_H

enum ebb_log_level { EBB_LOG_ERROR, EBB_LOG_WARNING, EBB_LOG_INFO, EBB_LOG_DEBUG };

// Borrowed by what it is given to: must outlive it. `write` may be called from any thread, one line at a time
// without a newline; it must not call back into the library.
struct ebb_log {
    void (*write)(void *user, enum ebb_log_level level, const char *message);
    void *user;
};

#endif
