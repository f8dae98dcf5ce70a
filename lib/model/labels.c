// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/near.h"
#include "model/model_files.h"

void ebb_manifest_labels(struct ebb_model *model, const struct ebb_json *j)
{
    static const char *const kinds[] = {"event", "texture", NULL};
    int count = ebb_json_count(j, "labels");
    int classes = ebb_unet_classes(model->unet);
    if (!classes && model->classifier) // the U-Net knows no labels; classifier guidance leads it to them
        classes = ebb_classifier_labels(model->classifier);
    if (count > classes && !(model->text[0] && !ebb_unet_classes(model->unet)))
        ebb_json_refuse(j, "labels", EBB_CORRUPT, "at most %d labels, the classes of the network", classes);
    if (count == 0 || j->file->result)
        return;
    model->labels = ebb_alloc((size_t)count, sizeof(*model->labels));
    if (!model->labels) {
        j->file->result = ebb_fail(j->file->error, EBB_OUT_OF_MEMORY, "no memory for labels");
        return;
    }

    model->info.label_count = count;
    for (int i = 0; i < count; i++) {
        struct ebb_json entry = ebb_json_object_at(j, "labels", i);
        model->labels[i] = (struct ebb_label){
            .name = ebb_json_string(&entry, "name", NULL),
            .kind = ebb_json_choice(&entry, "kind", 0, kinds) ? EBB_LABEL_TEXTURE : EBB_LABEL_EVENT,
            .score = ebb_json_has(&entry, "score") ? (float)ebb_json_number(&entry, "score", -1, 0, 1) : -1,
            .note = ebb_json_has(&entry, "note") ? ebb_json_string(&entry, "note", NULL) : NULL,
            .guidance = ebb_json_number(&entry, "guidance", model->info.guidance, 0, 100),
            .prompt = ebb_json_has(&entry, "prompt") ? ebb_json_string(&entry, "prompt", NULL) : NULL,
        };
        if (model->text[0] && !model->labels[i].prompt && !ebb_unet_classes(model->unet))
            ebb_json_refuse(&entry, "prompt", EBB_CORRUPT, "the words that the label stands for");
        if (!model->text[0] && model->labels[i].prompt)
            ebb_json_refuse(&entry, "prompt", EBB_CORRUPT, "no such key: the model has no text encoder");
        if (!model->labels[i].name)
            ebb_json_refuse(&entry, "name", EBB_CORRUPT, "the label's name");
        if (j->file->result)
            return;
    }
}

enum ebb_result ebb_labels_number(struct ebb_model *model, struct ebb_error *error)
{
    int classes = ebb_unet_classes(model->unet);
    int count = classes - (model->no_label == classes - 1); // the last class may mean "no label"
    model->labels = ebb_alloc((size_t)count, sizeof(*model->labels));
    model->files->numbers = ebb_alloc((size_t)count, sizeof(*model->files->numbers));
    if (!model->labels || !model->files->numbers)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for labels");

    model->info.label_count = count;
    for (int i = 0; i < count; i++) {
        snprintf(model->files->numbers[i], sizeof(model->files->numbers[i]), "%d", i % 10000000);
        model->labels[i] = (struct ebb_label){.name = model->files->numbers[i],
                                              .kind = EBB_LABEL_EVENT,
                                              .score = -1,
                                              .guidance = model->info.guidance};
    }
    return EBB_OK;
}

const struct ebb_label *ebb_model_label(const struct ebb_model *model, int index)
{
    return index >= 0 && index < model->info.label_count ? &model->labels[index] : NULL;
}

// How far a label is from what was asked for; a part of the name is near, and so is a word of what was asked
// for.
static int distance(const char *asked, const char *label)
{
    int letters = ebb_near_distance(asked, label);
    bool part = (strlen(asked) > 2 && strstr(label, asked)) || (strlen(label) > 2 && strstr(asked, label));
    return part && letters > 1 ? 1 : letters;
}

enum { OFFERED = 4 };

// The labels nearest to the name, nearest first, those of one distance in the model's order; how many.
static int find_near(const struct ebb_model *model, const char *name, const char *found[OFFERED])
{
    int most = (int)strlen(name) / 3 > 2 ? (int)strlen(name) / 3 : 2, count = 0, distances[OFFERED + 1];
    const char *kept[OFFERED + 1];
    for (int i = 0; i < model->info.label_count; i++) {
        int d = distance(name, model->labels[i].name), at = count;
        if (d > most || (count == OFFERED && d >= distances[OFFERED - 1]))
            continue;
        for (; at > 0 && distances[at - 1] > d; at--) {
            distances[at] = distances[at - 1];
            kept[at] = kept[at - 1];
        }
        distances[at] = d;
        kept[at] = model->labels[i].name;
        count += count < OFFERED;
    }
    for (int i = 0; i < count; i++)
        found[i] = kept[i];
    return count;
}

static enum ebb_result offer(const struct ebb_model *model, const char *name, struct ebb_error *error)
{
    char names[200] = "";
    const char *near[OFFERED];
    int count = find_near(model, name, near);
    for (int i = 0; i < count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%.40s", i ? ", " : "", near[i]);
    }
    if (count)
        return ebb_fail(error, EBB_NOT_FOUND, "model %s has no label \"%.60s\"; near it: %s",
                        model->info.name, name, names);

    for (int i = 0; i < model->info.label_count && strlen(names) < 100; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%.40s", i ? ", " : "", model->labels[i].name);
    }
    return ebb_fail(error, EBB_NOT_FOUND, "model %s has no label \"%.60s\"; its %d labels are %s%s",
                    model->info.name, name, model->info.label_count, names,
                    strlen(names) < 100 ? "" : ", ...");
}

// ---- looking up ----

// By name, then by place: of two labels of one name the first is found.
static int by_name(const void *a, const void *b)
{
    const struct ebb_label *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);
    return order ? order : (*x > *y) - (*x < *y);
}

enum ebb_result ebb_labels_sort(struct ebb_model *model, struct ebb_error *error)
{
    size_t count = (size_t)model->info.label_count;
    model->files->sorted = ebb_alloc(count, sizeof(*model->files->sorted));
    if (!model->files->sorted)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for labels");
    for (size_t i = 0; i < count; i++)
        model->files->sorted[i] = &model->labels[i];
    qsort(model->files->sorted, count, sizeof(*model->files->sorted), by_name);
    return EBB_OK;
}

// The first place of the sorted labels whose name is not before this one.
static int lower_bound(const struct ebb_model *model, const char *name)
{
    int low = 0, high = model->info.label_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (strcmp(model->files->sorted[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int ebb_model_find_label(const struct ebb_model *model, const char *name, struct ebb_error *error)
{
    int at = lower_bound(model, name);
    if (at < model->info.label_count && strcmp(model->files->sorted[at]->name, name) == 0)
        return (int)(model->files->sorted[at] - model->labels);
    if (!error) // nobody reads which labels are near
        return -1;
    if (model->info.label_count == 0)
        ebb_fail(error, EBB_NOT_FOUND, "model %s has no labels, so no \"%.60s\"", model->info.name, name);
    else
        offer(model, name, error);
    return -1;
}
