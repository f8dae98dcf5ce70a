// SPDX-License-Identifier: LGPL-2.1-or-later
// The bar, and being interrupted.
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static volatile sig_atomic_t interrupted;
static struct timespec asked; // when the work was asked to stop; the handler alone reads and writes it

// The first interrupt asks the work to stop and tidy up; a second one does not ask. timeout(1) sends its
// signal to the process and then to the process's group: both are one interrupt.
static void on_interrupt(int number)
{
    enum { ONE_INTERRUPT_MS = 200 };
    int saved = errno;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    long passed = (now.tv_sec - asked.tv_sec) * 1000 + (now.tv_nsec - asked.tv_nsec) / 1000000;
    if (interrupted && passed >= ONE_INTERRUPT_MS)
        _exit(128 + number);
    if (!interrupted)
        asked = now;
    interrupted = 1;
    errno = saved;
}

void tool_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    sigfillset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN) // nohup ignores it for us
        sigaction(SIGHUP, &action, NULL);
}

bool tool_interrupted(void)
{
    return interrupted != 0;
}

double tool_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// "1:05 left" once there is something to judge by.
static void time_left(char *out, size_t size, const struct tool_progress *p, double now, double fraction)
{
    double spent = now - p->started;
    out[0] = 0;
    if (fraction < 0.02 || spent < 1)
        return;
    int left = (int)ceil(spent * (1 - fraction) / fraction);
    snprintf(out, size, "  %d:%02d left", left / 60, left % 60);
}

bool tool_progress_show(struct tool_progress *p, double fraction)
{
    enum { BAR = 24 };
    double now = tool_now();
    if (p->started <= 0)
        p->started = now;
    if (p->quiet || !isatty(STDERR_FILENO) || now - p->shown < 0.05)
        return !tool_interrupted();
    p->shown = now;

    double all = p->items > 1 ? (p->item - 1 + fraction) / p->items : fraction;
    char bar[BAR + 1], left[32], count[32] = "", what[164], line[256];
    for (int i = 0; i < BAR; i++)
        bar[i] = i < (int)(all * BAR + 0.5) ? '#' : '.';
    bar[BAR] = 0;
    time_left(left, sizeof(left), p, now, all);
    if (p->items > 1)
        snprintf(count, sizeof(count), "  %d of %d", p->item, p->items);
    int n = snprintf(line, sizeof(line), "[%s] %3d%%%s%s  %.40s", bar, (int)(all * 100), count, left,
                     tool_printable(what, sizeof(what), p->what ? p->what : ""));
    fprintf(stderr, "\r%-*s", (int)p->width, line);
    p->width = n > 0 ? (size_t)n : 0;
    return !tool_interrupted();
}

bool tool_on_progress(void *progress, double fraction)
{
    return tool_progress_show(progress, fraction);
}

void tool_progress_clear(struct tool_progress *p)
{
    if (p->width)
        fprintf(stderr, "\r%*s\r", (int)p->width, "");
    p->width = 0;
}
