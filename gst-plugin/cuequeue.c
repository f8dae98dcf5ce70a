// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuequeue.h"

void cue_item_clear(struct cue_item *item)
{
    gst_clear_event(&item->event);
    for (guint i = 0; i < item->prompt_count; i++)
        g_ref_string_release(item->prompts[i]);
    item->prompt_count = 0;
}

// Many gaps in a row are one.
static gboolean extend_last(GQueue *queue, const struct cue_item *item)
{
    struct cue_item *last = g_queue_peek_tail(queue);
    if (!last || last->kind != CUE_ITEM_KNOWN || item->kind != CUE_ITEM_KNOWN)
        return FALSE;
    last->start = MAX(last->start, item->start);
    return TRUE;
}

void cue_queue_push(GQueue *queue, const struct cue_item *item)
{
    if (extend_last(queue, item))
        return;
    struct cue_item *copy = g_new(struct cue_item, 1);
    *copy = *item;
    g_queue_push_tail(queue, copy);
}

gboolean cue_queue_is_full(const GQueue *queue)
{
    return g_queue_get_length((GQueue *)queue) >= CUE_QUEUE_MOST;
}

gboolean cue_queue_peek(const GQueue *queue, struct cue_item *item)
{
    const struct cue_item *head = g_queue_peek_head((GQueue *)queue);
    if (head)
        *item = *head;
    return head != NULL;
}

struct cue_item cue_queue_pop(GQueue *queue)
{
    struct cue_item *head = g_queue_pop_head(queue), item = *head;
    g_free(head);
    return item;
}

void cue_queue_clear(GQueue *queue)
{
    while (!g_queue_is_empty(queue)) {
        struct cue_item item = cue_queue_pop(queue);
        cue_item_clear(&item);
    }
}
