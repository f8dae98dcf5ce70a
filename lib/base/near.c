// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/near.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <ebb/error.h>

enum { LONGEST = 63, SHORTEST_PART = 3 }; // a name shorter than that is in many words

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

// The distance where it is less than `bound`; otherwise a number that is not.
static int distance_below(const char *a, const char *b, int bound)
{
    int row[3][LONGEST + 1]; // the last three rows; row[i % 3][j]: from the first i letters of a to the first
                             // j of b
    size_t n = strnlen(a, LONGEST), m = strnlen(b, LONGEST);
    int least = 0, least_before = 0; // of the last two rows: a row grows out of those
    for (size_t j = 0; j <= m; j++)
        row[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int *before = row[(i + 1) % 3], *last = row[(i + 2) % 3], *now = row[i % 3];
        least_before = least;
        least = now[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = least_of(last[j - 1] + (a[i - 1] != b[j - 1]), least_of(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least_of(now[j], before[j - 2] + 1);
            least = least_of(least, now[j]);
        }
        if (least >= bound && least_before >= bound)
            return least;
    }
    return row[n % 3][m];
}

int ebb_near_distance(const char *a, const char *b)
{
    return distance_below(a, b, INT_MAX);
}

struct ebb_near ebb_near_begin(const char *text)
{
    return (struct ebb_near){.text = text, .least = (int)strnlen(text, LONGEST) / 3 + 2};
}

void ebb_near_try(struct ebb_near *near, const char *name)
{
    const char *text = near->text;
    size_t n = strlen(text), m = strlen(name);
    bool part = (n >= SHORTEST_PART && n <= m && strstr(name, text)) ||
                (m >= SHORTEST_PART && m <= n && strstr(text, name));
    n = n < LONGEST ? n : LONGEST;
    m = m < LONGEST ? m : LONGEST;
    if (!part && (int)(n > m ? n - m : m - n) >= near->least) // no distance is less than that
        return;
    int distance = distance_below(text, name, near->least);
    distance = part ? least_of(distance, 1) : distance;
    if (distance < near->least && distance < (int)strlen(text)) {
        near->least = distance;
        near->best = name;
    }
}

const char *ebb_near_name(const char *text, const char *const *names, size_t count)
{
    struct ebb_near near = ebb_near_begin(text);
    for (size_t i = 0; i < count; i++)
        ebb_near_try(&near, names[i]);
    return near.best;
}
