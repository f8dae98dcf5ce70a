// What model/'s files share about an opened model.
#ifndef EBB_MODEL_OWN_H
#define EBB_MODEL_OWN_H

#include "diffusion/compat.h"
#include "model/folder.h"
#include "model/json.h"
#include "model/network.h"

struct ebb_model_own {
    char *path;
    char hash[65];
    char scheduler_sum[65], mel_sum[65], extras_sum[65]; // "": no such file
    struct ebb_compat compat;    // what diffusers' class does its own way; run.compat points here
    char unknown[256];           // keys of the scheduler's config that nobody here knows; "": none
    struct ebb_json_file extras; // ebb.json, kept: the strings of info and labels live in it
    char (*numbers)[8];          // labels of a folder that names none: "0", "1", ...
    struct ebb_network *unet, *vae, *classifier; // vae, classifier NULL: none
};

// Everything in the folder but the numbers in the weights. `error` is not NULL.
enum ebb_result ebb_folder_read(struct ebb_model *model, struct ebb_error *error);

// scheduler_config.json -> schedule, run and the sampler the folder recommends.
enum ebb_result ebb_scheduler_read(struct ebb_model *model, const char *folder, struct ebb_error *error);

// ebb.json, on top of what the folder says by itself.
void ebb_extras_read(struct ebb_model *model, const struct ebb_json *j);
void ebb_extras_labels(struct ebb_model *model, const struct ebb_json *j);
// Labels for a class table that nobody named.
enum ebb_result ebb_labels_number(struct ebb_model *model, struct ebb_error *error);

#endif
