// SPDX-License-Identifier: LGPL-2.1-or-later
#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const double BEAT = 5; // seconds between touches

enum {
    LONGEST = 400, // bytes of a claim
    TRIES = 8,     // at taking over, while others do the same
};

// Who makes a file. A process is known by its number and its start, in a system that is known by its boot and
// its space of process numbers.
struct owner {
    char system[120];
    long process;
    unsigned long long started, nonce;
    char host[80]; // for people
};

struct claimer {
    struct owner own;
    char text[LONGEST]; // of `own`
    double stale;
    char *path; // of the claim; NULL: there is none
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex; // of `fd`, `done`
    pthread_cond_t changed;
    bool done, beats; // the thread is to end; it runs
};

// ---- who this is ----

// What a small file holds, as one call gives it; an interrupted one is made again.
static ssize_t read_small(int fd, char *text, size_t size)
{
    ssize_t got;
    do
        got = read(fd, text, size);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read_small(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

// When a process started, in ticks since the boot; 0: there is none of that number.
static unsigned long long start_of(long process)
{
    char path[64], text[1024];
    unsigned long long ticks = 0;
    snprintf(path, sizeof(path), "/proc/%ld/stat", process);
    if (!read_file(path, text, sizeof(text)))
        return 0;
    const char *at = strrchr(text, ')'); // the name before it may hold anything
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%llu", &ticks) == 1 ? ticks : 0;
}

static void find_system(char *text, size_t size)
{
    struct stat space;
    char boot[64] = "?";
    if (read_file("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)))
        boot[strcspn(boot, "\n")] = 0;
    bool known = stat("/proc/self/ns/pid", &space) == 0;
    snprintf(text, size, "%s/%llu", boot, known ? (unsigned long long)space.st_ino : 0);
}

static void find_own(struct owner *own)
{
    find_system(own->system, sizeof(own->system));
    own->process = (long)getpid();
    own->started = start_of(own->process);
    if (getrandom(&own->nonce, sizeof(own->nonce), GRND_NONBLOCK) != sizeof(own->nonce))
        own->nonce = (unsigned long long)time(NULL);
    if (gethostname(own->host, sizeof(own->host)) != 0 || !*own->host)
        snprintf(own->host, sizeof(own->host), "?");
    own->host[sizeof(own->host) - 1] = 0;
}

// ---- claims as text ----

static void write_owner(const struct owner *o, char text[LONGEST])
{
    snprintf(text, LONGEST, "ebb claim 1\n%s %ld %llu %llx %s\n", o->system, o->process, o->started, o->nonce,
             o->host);
}

static bool read_owner(const char *text, struct owner *o)
{
    *o = (struct owner){0};
    return sscanf(text, "ebb claim 1\n%119s %ld %llu %llx %79s", o->system, &o->process, &o->started,
                  &o->nonce, o->host) == 5;
}

// A claim as it stands: its text, and when it was last touched. Opening it asks the server anew.
static bool read_claim(const char *path, char text[LONGEST], struct timespec *touched)
{
    struct stat info = {0};
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read_small(fd, text, LONGEST - 1) : -1;
    bool ok = got >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    *touched = info.st_mtim;
    return ok;
}

// ---- stale claims ----

static char *beside(const char *path, const char *ending, unsigned long long number)
{
    char *name = NULL;
    return asprintf(&name, "%s%s%llx", path, ending, number) < 0 ? NULL : name;
}

// The clock of the file system, which the clocks of the machines need not agree with: a new file's time.
static bool server_now(const struct claimer *c, const char *claim, struct timespec *now)
{
    struct stat info;
    char *probe = beside(claim, ".clock-", c->own.nonce);
    int fd = probe ? open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    bool ok = fd >= 0 && fstat(fd, &info) == 0;
    if (fd >= 0) {
        close(fd);
        unlink(probe);
    }
    free(probe);
    if (ok)
        *now = info.st_mtim;
    return ok;
}

static bool is_old(const struct claimer *c, const char *claim, const struct timespec *touched)
{
    struct timespec now;
    if (!server_now(c, claim, &now))
        return false;
    return (double)(now.tv_sec - touched->tv_sec) + 1e-9 * (double)(now.tv_nsec - touched->tv_nsec) >
           c->stale;
}

// A claim that cannot be read was being written when its run ended, or is being written now: its age decides.
static bool is_stale(const struct claimer *c, const char *claim, const char *text,
                     const struct timespec *touched)
{
    struct owner owner;
    bool known = read_owner(text, &owner);
    if (known && owner.started > 0 && strcmp(owner.system, c->own.system) == 0)
        return start_of(owner.process) != owner.started;
    return is_old(c, claim, touched);
}

// Takes a stale claim out of the way. Only one of several runs can rename it; and it has to be the one that
// was looked at, otherwise it goes back.
static void remove_stale(const struct claimer *c, const char *claim, const char *text)
{
    char moved_text[LONGEST];
    struct timespec touched;
    char *moved = beside(claim, ".stale-", c->own.nonce);
    if (moved && rename(claim, moved) == 0) {
        bool same = read_claim(moved, moved_text, &touched) && strcmp(moved_text, text) == 0;
        if (same || link(moved, claim) == 0 || errno == EEXIST)
            unlink(moved);
        else
            rename(moved, claim); // a file system without links
    }
    free(moved);
}

// ---- the thread that touches ----

static void *beat(void *user)
{
    struct claimer *c = user;
    pthread_mutex_lock(&c->mutex);
    while (!c->done) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)BEAT;
        pthread_cond_timedwait(&c->changed, &c->mutex, &until);
        if (c->fd >= 0 && !c->done)
            futimens(c->fd, NULL);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

// Signals stay with the main thread. Without a thread a claim ages; nothing worse.
static void start_beating(struct claimer *c)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    c->beats = pthread_create(&c->thread, NULL, beat, c) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void set_claim(struct claimer *c, int fd, char *path)
{
    pthread_mutex_lock(&c->mutex);
    int old = c->fd;
    c->fd = fd;
    pthread_mutex_unlock(&c->mutex);
    if (old >= 0)
        close(old);
    free(c->path);
    c->path = path;
}

// ---- claiming ----

struct claimer *claimer_create(double stale)
{
    struct claimer *c = calloc(1, sizeof(*c));
    if (!c) {
        tool_say("no memory");
        return NULL;
    }
    c->fd = -1;
    c->stale = stale;
    find_own(&c->own);
    write_owner(&c->own, c->text);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    start_beating(c);
    return c;
}

void claimer_destroy(struct claimer **claimer)
{
    struct claimer *c = *claimer;
    if (!c)
        return;
    claim_give_up(c);
    pthread_mutex_lock(&c->mutex);
    c->done = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    if (c->beats)
        pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    free(c);
    *claimer = NULL;
}

// ".NAME.claim" in the file's folder.
static char *claim_name(const char *path)
{
    const char *base = tool_base_name(path);
    char *name = NULL;
    return asprintf(&name, "%.*s.%s.claim", (int)(base - path), path, base) < 0 ? NULL : name;
}

static bool write_whole(int fd, const char *text, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = write(fd, text + done, length - done);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// Whether the claim has been made now. A claim without its text would have an owner whom nobody knows.
static bool create_claim(struct claimer *c, char *claim)
{
    size_t length = strlen(c->text);
    int fd = open(claim, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    if (write_whole(fd, c->text, length)) {
        set_claim(c, fd, claim);
        return true;
    }
    int why = errno ? errno : ENOSPC;
    close(fd);
    unlink(claim);
    errno = why;
    return false;
}

enum claim claim_take(struct claimer *claimer, const char *path, int *code)
{
    char text[LONGEST];
    struct timespec touched;
    char *claim = claim_name(path);
    claim_give_up(claimer);
    if (!claim) {
        *code = tool_fail(TOOL_FAILED, "no memory");
        return CLAIM_FAILED;
    }
    bool ours = create_claim(claimer, claim), others = false;
    for (int i = 0; i < TRIES && !ours && !others && errno == EEXIST; i++) {
        others = read_claim(claim, text, &touched) && !is_stale(claimer, claim, text, &touched);
        if (!others)
            remove_stale(claimer, claim, text);
        ours = !others && create_claim(claimer, claim);
    }
    others = others || (!ours && errno == EEXIST);
    if (!ours && !others)
        *code = tool_fail(TOOL_UNWRITABLE, "%s: cannot be written (%s)", path, strerror(errno));
    if (!ours)
        free(claim);
    return ours ? CLAIM_OURS : others ? CLAIM_OTHERS : CLAIM_FAILED;
}

void claim_clear(const struct claimer *claimer, const char *path)
{
    char text[LONGEST];
    struct timespec touched;
    char *claim = claim_name(path);
    if (claim && read_claim(claim, text, &touched) && is_stale(claimer, claim, text, &touched))
        remove_stale(claimer, claim, text);
    free(claim);
}

bool claim_holds(struct claimer *claimer)
{
    char text[LONGEST];
    struct timespec touched;
    bool holds = claimer->path && read_claim(claimer->path, text, &touched) &&
                 strcmp(text, claimer->text) == 0;
    return holds && futimens(claimer->fd, NULL) == 0;
}

void claim_give_up(struct claimer *claimer)
{
    if (!claimer->path)
        return;
    if (claim_holds(claimer))
        unlink(claimer->path);
    set_claim(claimer, -1, NULL);
}
