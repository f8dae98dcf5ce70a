// SPDX-License-Identifier: LGPL-2.1-or-later
// The bar, and being interrupted.
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
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

// Of the terminal; what does not say how wide it is has 80.
static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Cuts UTF-8 between two characters to `most` columns; how many it has then. Characters of three bytes and
// more count for two, as Chinese ones take.
static size_t cut(char *text, size_t most)
{
    size_t used = 0;
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        size_t width = (*c & 0xc0) == 0x80 ? 0 : *c >= 0xe0 ? 2 : 1;
        if (used + width > most) {
            *c = 0;
            break;
        }
        used += width;
    }
    return used;
}

bool tool_progress_show(struct tool_progress *p, double fraction)
{
    enum { BAR = 24, NAME = 40 };
    double now = tool_now();
    if (p->started <= 0)
        p->started = now;
    if (p->quiet || !isatty(STDERR_FILENO) || now - p->shown < 0.05)
        return !tool_interrupted();
    p->shown = now;

    double all = p->items > 1 ? (p->item - 1 + fraction) / p->items : fraction;
    char bar[BAR + 1], left[32], count[32] = "", what[164], line[256];
    size_t most = columns() - 1; // a line that fills the terminal goes on in the next one
    int length = most / 3 < BAR ? (int)(most / 3) : BAR;
    for (int i = 0; i < length; i++)
        bar[i] = i < (int)(all * length + 0.5) ? '#' : '.';
    bar[length] = 0;
    time_left(left, sizeof(left), p, now, all);
    if (p->items > 1)
        snprintf(count, sizeof(count), "  %d of %d", p->item, p->items);
    cut(tool_printable(what, sizeof(what), p->what ? p->what : ""), NAME);
    snprintf(line, sizeof(line), "[%s] %3d%%%s%s  %s", bar, (int)(all * 100), count, left, what);
    size_t width = cut(line, most);
    int rest = p->width > width ? (int)(p->width < most ? p->width - width : most - width) : 0;
    fprintf(stderr, "\r%s%*s", line, rest, "");
    p->width = width;
    return !tool_interrupted();
}

bool tool_on_progress(void *progress, double fraction)
{
    return tool_progress_show(progress, fraction);
}

void tool_progress_clear(struct tool_progress *p)
{
    size_t most = columns() - 1; // the window may have been made smaller
    if (p->width)
        fprintf(stderr, "\r%*s\r", (int)(p->width < most ? p->width : most), "");
    p->width = 0;
}
