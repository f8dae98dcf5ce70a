// SPDX-License-Identifier: LGPL-2.1-or-later
// EncoderUNet2DModel, a class of Ebb's own: the training recipe writes its config with diffusers' keys.
// `labels` are the names of its classes; they must be the model's labels.
#include "diffusers/config_parts.h"
#include "diffusers/network_class.h"
#include "nets/classifier.h"

static void *create(struct ebb_json_file *file)
{
    static const char *const pools[] = {"mean", NULL};
    struct ebb_json root = ebb_json_root(file), *j = &root;
    struct ebb_classifier_config config;
    ebb_config_unet(j, &config.unet, false);
    ebb_json_choice(j, "pool", 0, pools);
    config.labels = ebb_json_int(j, "num_labels", 0, 1, 1000000);
    if (!ebb_json_has(j, "num_labels"))
        ebb_json_refuse(j, "num_labels", EBB_CORRUPT, "how many labels the classifier tells apart");
    if (config.unet.classes != EBB_CLASS_NONE)
        ebb_json_refuse(j, config.unet.num_class_embeds ? "num_class_embeds" : "class_embed_type",
                        EBB_UNSUPPORTED, "null: a classifier is told no class");
    return file->result == EBB_OK ? ebb_classifier_create(&config, file->error) : NULL;
}

static void destroy(void *net)
{
    struct ebb_classifier *gone = net;
    ebb_classifier_destroy(&gone);
}

static struct ebb_weights *weights(void *net)
{
    return ebb_classifier_weights(net);
}

const struct ebb_network_class ebb_classifier_class = {
    .name = "EncoderUNet2DModel",
    .role = EBB_ROLE_CLASSIFIER,
    .create = create,
    .destroy = destroy,
    .weights = weights,
};
