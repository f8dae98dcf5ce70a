// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/network_class.h"

#include <stdio.h>
#include <string.h>

const struct ebb_network_class *const ebb_network_classes[] = {
    &ebb_unet2d_class,
    &ebb_unet2d_condition_class,
    &ebb_audioldm2_unet_class,
    &ebb_autoencoder_kl_class,
    &ebb_classifier_class,
    &ebb_speecht5_hifigan_class,
    &ebb_clip_class,
    &ebb_clip_projection_class,
    &ebb_clap_text_class,
    &ebb_clap_class,
    &ebb_t5_class,
    &ebb_gpt2_class,
    &ebb_gpt2_head_class,
    &ebb_text_projection_class,
    NULL,
};

const struct ebb_network_class *ebb_network_class_of(struct ebb_json_file *config, int roles)
{
    struct ebb_json root = ebb_json_root(config);
    bool transformers = !ebb_json_given(&root, "_class_name") && ebb_json_is_list(&root, "architectures");
    const char *key = transformers ? "architectures" : "_class_name";
    const char *name = transformers ? ebb_json_string_at(&root, key, 0) : ebb_json_string(&root, key, "");
    name = name ? name : "";
    char names[240] = "";
    for (const struct ebb_network_class *const *class = ebb_network_classes; *class; class ++) {
        if (!((int)(*class)->role & roles))
            continue;
        if (strcmp((*class)->name, name) == 0)
            return *class;
        size_t used = strlen(names);
        snprintf(names + used, sizeof(names) - used, "%s%s", used ? " or " : "", (*class)->name);
    }
    ebb_json_refuse(&root, key, *name ? EBB_UNSUPPORTED : EBB_CORRUPT, "%s", names);
    return NULL;
}
