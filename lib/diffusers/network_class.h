// SPDX-License-Identifier: LGPL-2.1-or-later
// Classes of networks that Ebb reads from diffusers' folders. A class is a struct in a file of its own,
// which reads the class's config.json. A new class is listed in ebb_network_classes[], and nowhere else.
#ifndef EBB_DIFFUSERS_NETWORK_CLASS_H
#define EBB_DIFFUSERS_NETWORK_CLASS_H

#include "base/json.h"
#include "diffusers/weight_files.h"

// Role of a network in a model. A model may have any class of the role. Values are bits, to allow several
// roles.
enum ebb_network_role {
    EBB_ROLE_UNET = 1,             // predicts the clean sound or the noise of a state
    EBB_ROLE_AUTOENCODER = 2,      // mel <-> latents
    EBB_ROLE_CLASSIFIER = 4,       // tells labels apart, for classifier guidance
    EBB_ROLE_VOCODER = 8,          // mel -> samples
    EBB_ROLE_TEXT = 16,            // tokens -> states
    EBB_ROLE_LANGUAGE = 32,        // states -> more of them
    EBB_ROLE_TEXT_PROJECTION = 64, // states of two text encoders -> those of a language model
};

struct ebb_network_class {
    const char *name; // "_class_name" in config.json; of transformers: the first of "architectures"
    enum ebb_network_role role;
    // Reads config.json and makes the network without its weights' numbers. A missing key has the class's
    // default; a value that Ebb does not have is refused, and the error names file, key and value. NULL
    // with the file's error filled.
    void *(*create)(struct ebb_json_file *config);
    void (*destroy)(void *net);
    struct ebb_weights *(*weights)(void *net);
    ebb_tensor_name tensor; // names of tensors; NULL: those of the weights
};

extern const struct ebb_network_class ebb_unet2d_class;           // struct ebb_unet
extern const struct ebb_network_class ebb_unet2d_condition_class; // struct ebb_unet
extern const struct ebb_network_class ebb_audioldm2_unet_class;   // struct ebb_unet
extern const struct ebb_network_class ebb_autoencoder_kl_class;   // struct ebb_autoencoder
extern const struct ebb_network_class ebb_classifier_class;       // struct ebb_classifier
extern const struct ebb_network_class ebb_speecht5_hifigan_class; // struct ebb_vocoder

extern const struct ebb_network_class ebb_text_projection_class; // struct ebb_text_projection
// struct ebb_text_encoder, in transformers' own order.
extern const struct ebb_network_class ebb_clip_class, ebb_clip_projection_class, ebb_clap_text_class,
    ebb_clap_class, ebb_t5_class, ebb_gpt2_class, ebb_gpt2_head_class;

extern const struct ebb_network_class *const ebb_network_classes[]; // NULL after the last

// The class that the config names, if it has one of `roles`. NULL with the config's error filled, which
// names the classes that have.
const struct ebb_network_class *ebb_network_class_of(struct ebb_json_file *config, int roles);

#endif
