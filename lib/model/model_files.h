// SPDX-License-Identifier: LGPL-2.1-or-later
// The files of an opened model, and how its folder is read. For lib/model alone.
#ifndef EBB_MODEL_MODEL_FILES_H
#define EBB_MODEL_MODEL_FILES_H

#include "base/json.h"
#include "diffusion/quirks.h"
#include "model/model.h"
#include "model/network.h"

enum ebb_model_part {
    EBB_PART_UNET,
    EBB_PART_AUTOENCODER,
    EBB_PART_CLASSIFIER,
    EBB_PART_TEXT,
    EBB_PART_VOCODER,
    EBB_PART_TEXT_2,
    EBB_PART_PROJECTION,
    EBB_PART_LANGUAGE,
    EBB_PARTS
};

struct ebb_model_files {
    char *path, *name; // name: of a model whose ebb.json has none
    char hash[65];
    char scheduler_sum[65], mel_sum[65], manifest_sum[65]; // "": no such file
    struct ebb_quirks quirks;      // of the folder's scheduler; run.quirks points here
    char unknown[256];             // keys of the scheduler's config that nobody here knows; "": none
    struct ebb_json_file manifest; // ebb.json, kept: the strings of info and labels live in it; `root` NULL:
                                   // none
    char (*numbers)[8];            // labels of a folder that names none: "0", "1", ...
    struct ebb_label **sorted;     // the labels by name
    const char **prompts;          // that ebb.json lists: those of all labels, then those of none
    int prompt_count;
    struct ebb_network *network[EBB_PARTS]; // only the U-Net is always there
};

// Reads the folder, all but the weights' numbers. `error` is not NULL.
enum ebb_result ebb_model_read(struct ebb_model *model, struct ebb_error *error);

// Points model->unet, vae and classifier to the model's networks.
void ebb_model_take_networks(struct ebb_model *model);

// Opens the tokenizer of text encoder `text`, and checks that it fits. `error` is not NULL.
enum ebb_result ebb_model_open_tokenizer(struct ebb_model *model, int text, struct ebb_error *error);

// Opens the tokenizer and loads the weights of the text encoder, where they wait for the first prompt: of a
// model of labels that knows words as well. The model is loaded, `error` is not NULL.
enum ebb_result ebb_model_load_words(struct ebb_model *model, struct ebb_error *error);

// Checks that the parts fit together, and computes the state's shape. `error` is not NULL.
enum ebb_result ebb_model_check(struct ebb_model *model, struct ebb_error *error);

// Reads ebb.json into the model; its values replace those of the other files.
void ebb_manifest_read(struct ebb_model *model, const struct ebb_json *j);
// Reads "labels" of ebb.json.
void ebb_manifest_labels(struct ebb_model *model, const struct ebb_json *j);
// Reads "prompts" of the labels and of ebb.json itself: what sounds were called when the model learned.
void ebb_manifest_prompts(struct ebb_model *model, const struct ebb_json *j);
// Makes labels "0", "1", ... for a network with classes and a folder without names for them.
enum ebb_result ebb_labels_number(struct ebb_model *model, struct ebb_error *error);
// Makes them ready to be looked up.
enum ebb_result ebb_labels_sort(struct ebb_model *model, struct ebb_error *error);

#endif
