// SPDX-License-Identifier: LGPL-2.1-or-later
// What diffusefx asks of its model: which label or prompt a text is, and why it is none.
#include "cuestream_private.h"

#include <string.h>

enum { PROMPT_MOST = 512 }; // bytes

// The names of the model's labels, NULL after the last; g_free() frees the array.
static const char **label_names(const struct ebb_model *model)
{
    int count = ebb_model_info(model)->label_count;
    const char **names = g_new0(const char *, (gsize)count + 1);
    for (int i = 0; i < count; i++)
        names[i] = ebb_model_label(model, i)->name;
    return names;
}

struct cue_lexicon *cue_stream_lexicon(const struct ebb_model *model)
{
    const char **names = label_names(model);
    struct cue_lexicon *lexicon = cue_lexicon_create(names);
    g_free(names);
    return lexicon;
}

char *cue_stream_why_unplaced(const struct cue_stream *stream, const char *text)
{
    const struct ebb_model *model = stream->session->model;
    const char **names = label_names(model);
    char *low = g_utf8_strdown(text, -1);
    const char *near = ebb_near_name(low, names, (size_t)ebb_model_info(model)->label_count);
    char *why = g_strdup_printf("has no sound: no label of model %s fits%s%s%s", ebb_model_info(model)->name,
                                near ? "; the nearest is \"" : "", near ? near : "", near ? "\"" : "");
    g_free(low);
    g_free(names);
    return why;
}

GRefString *cue_stream_make_prompt(const char *text)
{
    const char *end = text + MIN(strlen(text), PROMPT_MOST);
    if (*end)
        end = g_utf8_find_prev_char(text, end + 1);
    GRefString *prompt = g_ref_string_new_len(text, end - text);
    for (char *at = prompt; *at; at++)
        *at = g_ascii_iscntrl(*at) ? ' ' : *at; // a recipe takes none
    return prompt;
}

gboolean cue_stream_takes_prompts(const struct cue_stream *stream)
{
    return ebb_model_info(stream->session->model)->prompt;
}

gboolean cue_stream_is_texture(const struct cue_stream *stream, const struct voice_order *order)
{
    const struct ebb_label *found = ebb_model_label(stream->session->model, order->label);
    return order->prompt || (found && found->kind == EBB_LABEL_TEXTURE);
}

void cue_stream_report_order(struct cue_stream *stream, const struct voice_order *order, GstClockTime moment,
                             const char *why)
{
    const struct ebb_label *label = ebb_model_label(stream->session->model, order->label);
    const char *text = order->prompt ? order->prompt : label ? label->name : "diffuse-play";
    cue_report_unplaced(&stream->report, stream->element, text, moment, why);
}
