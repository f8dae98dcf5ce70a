#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/find.h"
#include "model/own.h"

void ebb_extras_labels(struct ebb_model *model, const struct ebb_json *j)
{
    static const char *const kinds[] = {"event", "texture", NULL};
    int count = ebb_json_count(j, "labels");
    int classes = ebb_unet_classes(model->own->unet->unet);
    if (!classes && model->own->classifier) // a network that knows no labels, led to them by one that does
        classes = ebb_classifier_labels(model->own->classifier->classifier);
    if (count > classes)
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
        };
        if (!model->labels[i].name)
            ebb_json_refuse(&entry, "name", EBB_CORRUPT, "the label's name");
        if (j->file->result)
            return;
    }
}

enum ebb_result ebb_labels_number(struct ebb_model *model, struct ebb_error *error)
{
    int classes = ebb_unet_classes(model->own->unet->unet);
    int count = classes - (model->no_label == classes - 1); // the last class may be the one that means none
    model->labels = ebb_alloc((size_t)count, sizeof(*model->labels));
    model->own->numbers = ebb_alloc((size_t)count, sizeof(*model->own->numbers));
    if (!model->labels || !model->own->numbers)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for labels");

    model->info.label_count = count;
    for (int i = 0; i < count; i++) {
        snprintf(model->own->numbers[i], sizeof(model->own->numbers[i]), "%d", i % 10000000);
        model->labels[i] = (struct ebb_label){
            .name = model->own->numbers[i], .kind = EBB_LABEL_EVENT, .score = -1, .guidance = model->info.guidance};
    }
    return EBB_OK;
}

const struct ebb_label *ebb_model_label(const struct ebb_model *model, int index)
{
    return index >= 0 && index < model->info.label_count ? &model->labels[index] : NULL;
}

// How far a label is from what was asked for; a part of the name is near, too.
static int distance(const char *asked, const char *label)
{
    int letters = ebb_edit_distance(asked, label);
    return strlen(asked) > 2 && strstr(label, asked) && letters > 1 ? 1 : letters;
}

static enum ebb_result offer(const struct ebb_model *model, const char *name, struct ebb_error *error)
{
    int near = (int)strlen(name) / 3 > 2 ? (int)strlen(name) / 3 : 2, offered = 0;
    char names[200] = "";
    for (int d = 0; d <= near; d++)
        for (int i = 0; i < model->info.label_count && offered < 4; i++)
            if (distance(name, model->labels[i].name) == d) {
                size_t used = strlen(names);
                snprintf(names + used, sizeof(names) - used, "%s%.40s", offered++ ? ", " : "", model->labels[i].name);
            }
    if (offered)
        return ebb_fail(error, EBB_NOT_FOUND, "model %s has no label \"%.60s\"; near it: %s", model->info.name, name, names);

    for (int i = 0; i < model->info.label_count && strlen(names) < 100; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%.40s", i ? ", " : "", model->labels[i].name);
    }
    return ebb_fail(error, EBB_NOT_FOUND, "model %s has no label \"%.60s\"; its %d labels are %s%s", model->info.name, name,
                    model->info.label_count, names, strlen(names) < 100 ? "" : ", ...");
}

int ebb_model_find_label(const struct ebb_model *model, const char *name, struct ebb_error *error)
{
    for (int i = 0; i < model->info.label_count; i++)
        if (strcmp(model->labels[i].name, name) == 0)
            return i;
    if (model->info.label_count == 0)
        ebb_fail(error, EBB_NOT_FOUND, "model %s has no labels, so no \"%.60s\"", model->info.name, name);
    else
        offer(model, name, error);
    return -1;
}
